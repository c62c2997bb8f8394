"""A LoRA-like file of any writer, opened: its header, and its layers by their common keys, read one at a time."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..errors import DarkroomError
from ..export import lora
from ..export.lora_names import split_name
from ..export.tensor_file import read_tensors
from ..families import FAMILIES, SD1
from ..families.family import Family
from ..methods.adapter import AdapterSettings, FormatError
from . import keys

WHAT = "LoRA"
Tensors = dict[str, Tensor]  # of one layer, as kohya's scripts and LyCORIS call them
CONTEXTS = {768: "sd1", 1024: "sd2", 2048: "sdxl"}  # width of the prompt that a UNet is given
USUAL = {("lora_unet_down_", "lora_unet_mid_", "lora_unet_up_"): "diffusers",
         ("lora_unet_input_", "lora_unet_middle_", "lora_unet_output_"): "compvis"}
SD2_LAYERS = 12  # of its text encoder have names that Stable Diffusion 1 has not


class FileProblem(DarkroomError, ValueError):
    """A file cannot be used in this way; the message names it and says what to do."""


@dataclass(frozen=True)
class AdapterFile:
    """An opened file. names: by common key and tensor, its name in the file."""

    path: Path
    header: dict[str, str]
    names: dict[str, dict[str, str]]
    shapes: dict[str, tuple[int, ...]] = field(repr=False)  # by name in the file
    dtypes: dict[str, str] = field(repr=False)  # "F16", by name in the file
    twice: tuple[str, ...]  # names that stand for a tensor which another name stands for too
    get: Callable[[str], Tensor] = field(repr=False)
    settings: dict[str, Any] = field(repr=False)  # what its writer says of all layers

    @property
    def layers(self) -> list[str]:
        return [key for key in self.names if key != lora.BUNDLED]

    def tensors(self, key: str) -> Tensors:
        """A layer's, in the file's precision."""
        own = {tensor: lora.as_vector(name, self.get(name)) for tensor, name in self.names[key].items()}
        return lora.with_alpha(own, key, self.settings)

    def shape(self, key: str, tensor: str) -> tuple[int, ...]:
        return self.shapes[self.names[key][tensor]]

    def dtype(self, key: str) -> str:
        """The most frequent number format of a layer's matrices."""
        found = [self.dtypes[name] for tensor, name in self.names[key].items() if len(self.shapes[name]) > 0]
        return Counter(found or [self.dtypes[name] for name in self.names[key].values()]).most_common(1)[0][0]

    @cached_property
    def family(self) -> Family:
        """Raises FileProblem where neither the header nor the layers say it."""
        found = self.certain_family or usual_family(self)
        if found is None:
            raise FileProblem(f"{self.path.name} does not say what family of models it is for, and its layers do not "
                              "tell.")
        return found

    @cached_property
    def certain_family(self) -> Family | None:
        """None where only the paths of its layers hint at it, which families share."""
        return family_in_header(self.header) or family_of_layers(self)

    def multiplying(self) -> list[str]:
        """The layers whose effect depends on the weights that they are added to."""
        return [key for key in self.layers if multiplies(self.names[key])]


def multiplies(tensors: Iterable[str]) -> bool:
    """Whether a layer's tensors, by their names, are of a kind that multiplies the base."""
    held = set(tensors)
    return bool(held & {"dora_scale", "oft_blocks", "oft_diag", "on_input", "a1.weight"})


def kind_of(tensors: Tensors) -> type[AdapterSettings] | None:
    return lora.method_of_tensors(tensors)


@contextmanager
def opened(path: Path) -> Iterator[AdapterFile]:
    """Within, the file can be read. Raises FileProblem for what is no LoRA-like file."""
    if not path.is_file():
        raise FileProblem(f"There is no file {path}.")
    try:
        with ExitStack() as stack:
            yield (open_safetensors(path, stack) if path.suffix.lower() == ".safetensors" else open_pickle(path))
    except FormatError as error:
        raise FileProblem(str(error)) from None


def open_safetensors(path: Path, stack: ExitStack) -> AdapterFile:
    try:
        file = stack.enter_context(safe_open(path, "pt"))
    except (SafetensorError, OSError) as error:
        raise FileProblem(f"{path.name} is not a readable safetensors file: {error}.") from None
    held = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
    return described(path, file.metadata() or {}, {name: tuple(one.get_shape()) for name, one in held.items()},
                     {name: one.get_dtype() for name, one in held.items()}, file.get_tensor)


def open_pickle(path: Path) -> AdapterFile:
    tensors = read_tensors(path, WHAT)
    return described(path, {}, {name: tuple(t.shape) for name, t in tensors.items()},
                     {name: DTYPES.get(str(t.dtype), str(t.dtype)) for name, t in tensors.items()},
                     tensors.__getitem__)


DTYPES = {"torch.float32": "F32", "torch.float16": "F16", "torch.bfloat16": "BF16", "torch.float64": "F64"}


def described(path: Path, said: dict[str, str], shapes: dict[str, tuple[int, ...]], dtypes: dict[str, str],
              get: Callable[[str], Tensor]) -> AdapterFile:
    names: dict[str, dict[str, str]] = {}
    twice = []
    for name in shapes:
        key, tensor = split_name(name)
        own = names.setdefault(keys.common_key(key), {})
        if tensor in own:
            twice.append(name)
        else:
            own[tensor] = name
    if not any(tensor != key for key, own in names.items() for tensor in own) or not looks_like_layers(names):
        raise FileProblem(f"{path.name} holds no layers of a LoRA or of one of its relatives.")
    return AdapterFile(path, said, names, shapes, dtypes, tuple(twice), get, lora.settings_beside(path, shapes))


def looks_like_layers(names: dict[str, dict[str, str]]) -> bool:
    """Whether any layer holds tensors of a known kind; a checkpoint's names begin otherwise."""
    return any(known_tensor(tensor) for own in names.values() for tensor in own)


def known_tensor(tensor: str) -> bool:
    return tensor.startswith(("lora_", "hada_", "lokr_", "oft_", "diff", "w_norm", "on_input", "a1.weight"))


def family_in_header(said: dict[str, str]) -> Family | None:
    """By kohya's and Stability's words for it."""
    base, architecture = said.get("ss_base_model_version", ""), said.get("modelspec.architecture", "").partition("/")[0]
    for family in FAMILIES:
        if base and base in family.base_versions.values() or architecture in family.architectures.values():
            return family
    return SD1 if said.get("ss_v2") == "False" and not base else None


def family_of_layers(file: AdapterFile) -> Family | None:
    """By the layers that there are, and by the width of the prompts that they are given."""
    by_name = {family.name: family for family in FAMILIES}
    if any(keys.part_of(key) == "te2" for key in file.layers):
        return by_name["sdxl"]
    for key in file.layers:
        if re_deep(key):
            return by_name["sdxl"]
        if key.endswith(("_attn2_to_k", "_attn2_to_v")) and "lora_down.weight" in file.names[key]:
            width = file.shape(key, "lora_down.weight")[1]
            if width in CONTEXTS:
                return by_name[CONTEXTS[width]]
    return by_name["sd2"] if any(f"_layers_{SD2_LAYERS}_" in key for key in file.layers) else None


def usual_family(file: AdapterFile) -> Family | None:
    """By the paths of the layers: Stable Diffusion 1 where it may also be 2."""
    four_levels = any(key.startswith(("lora_unet_down_blocks_0_attentions", "lora_unet_down_blocks_3",
                                      "lora_unet_up_blocks_3")) for key in file.layers)
    if four_levels or all(keys.part_of(key) == "te1" for key in file.layers):
        return SD1
    usual = {family.lora_names: family for family in reversed(FAMILIES)}  # by whose paths kohya's scripts use
    return next((usual[paths] for begins, paths in USUAL.items()
                 if any(name.startswith(begins) for name in file.shapes)), None)


def re_deep(key: str) -> bool:
    """Whether only Stable Diffusion XL has such a layer: a second transformer in a row, or its label."""
    return "_transformer_blocks_1_" in key or "_add_embedding_" in key
