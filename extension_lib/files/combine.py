"""Adding files up: each so many times, also less than zero times, also by block."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from ..export import lora
from ..families.family import Family
from . import keys, made
from .arithmetic import DOWN, UP, added, delta_of, shape_of, with_alpha
from .base import Checkpoint, opened_checkpoint
from .blocks import parse_blocks, weight_of
from .new_file import NewFile, new_file, require_free
from .progress import Tool, counted_off
from .source import AdapterFile, FileProblem, Tensors, multiplies, opened

FLOATS = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "F64": torch.float32}


@dataclass(frozen=True)
class Part:
    """A file, how many times it counts, and how many times that each of its blocks does, as a person wrote it."""

    path: Path
    weight: float = 1.0
    blocks: str = ""


@dataclass(frozen=True)
class Sum:
    """What adding up is told. precision: a key of lora.DTYPES; "" for the best among the files'."""

    parts: Sequence[Part]
    out: Path
    base: Path | None = None
    precision: str = ""
    overwrite: bool = False
    tool: str = field(default="add", repr=False)  # what the header calls it


@dataclass(frozen=True)
class OpenPart:
    file: AdapterFile
    weight: float
    blocks: dict[str, float]

    def factor(self, key: str, family: Family) -> float:
        return self.weight * weight_of(key, family, self.blocks)


def add_up(given: Sum) -> Tool[Path]:
    """Writes the sum; its result is the path. Raises FileProblem, SaveError."""
    require_free(given.out, given.overwrite, given.base, *(part.path for part in given.parts))
    if not given.parts:
        raise FileProblem("No files are given. Name at least one.")
    with ExitStack() as stack:
        files = [stack.enter_context(opened(part.path)) for part in given.parts]
        base = stack.enter_context(opened_checkpoint(given.base)) if given.base else None
        family = common_family(files, base)
        parts = [OpenPart(file, part.weight, dict(parse_blocks(part.blocks, family)))
                 for file, part in zip(files, given.parts)]
        require_base(files, base)
        layers = list(dict.fromkeys(key for file in files for key in file.layers))
        with new_file(given.out, dtype_of(given.precision, files, layers, given.out)) as out:
            whole = Whole(out, family, base, len(files) > 1)
            for key, progress in counted_off(layers):
                whole.add(key, parts)
                yield progress
            add_words(out, files)
            out.metadata = made.made_header(given.out, family, files, given.tool, whole.kind_header(files),
                                            weights=[part.weight for part in given.parts],
                                            blocks=[part.blocks for part in given.parts if part.blocks],
                                            base=base.path.name if base else "")
    return given.out


class Whole:
    """The sum's layers on their way into a file."""

    def __init__(self, out: NewFile, family: Family, base: Checkpoint | None, joins: bool):
        """joins: whether there are several files, whose alphas become one."""
        self.out, self.family, self.base, self.joins = out, family, base, joins
        self.ranks: list[int] = []
        self.kinds: set[str] = set()  # of tensors

    def add(self, key: str, parts: Sequence[OpenPart]) -> None:
        held = [(part.file.tensors(key), part.factor(key, self.family)) for part in parts if key in part.file.names]
        held = [(tensors, factor) for tensors, factor in held if factor]
        if held:
            require_known(key, held, parts)
            self.write(key, self.sum_of(key, held))

    def sum_of(self, key: str, held: list[tuple[Tensors, float]]) -> Tensors:
        weight = self.weight(key) if any(multiplies(tensors) for tensors, _ in held) else None
        known = self.base is not None and self.base.has(key)
        shape = self.base.shape(key) if self.base and known else common_shape(key, [t for t, _ in held], self.family)
        like = weight if weight is not None else torch.empty(shape, device="meta")
        return added(held, shape, lambda tensors: delta_of(key, tensors, self.family, like))

    def weight(self, key: str) -> Tensor:
        if self.base is None or not self.base.has(key):
            raise FileProblem(f"{key} multiplies the weight of a layer that the base does not have.")
        return self.base.parameter(key).float()

    def write(self, key: str, tensors: Tensors) -> None:
        if tensors:
            tensors = with_alpha(tensors) if self.joins else tensors
            self.out.add_layer(keys.file_key(key, self.family), tensors)
            self.kinds |= set(tensors)
            self.ranks += [tensors[DOWN].shape[0]] if DOWN in tensors else []

    def kind_header(self, files: Sequence[AdapterFile]) -> dict[str, str] | None:
        """Of a single file the kind stays as it is."""
        unchanged = len(files) == 1 and not files[0].multiplying()
        return None if unchanged else made.kind_header(self.ranks, self.kinds <= {UP, DOWN, "alpha"})


def common_shape(key: str, held: list[Tensors], family: Family) -> tuple[int, ...]:
    """Of the layer that all of these add to; some tell only how many numbers it has. Raises FileProblem."""
    shapes = [shape_of(key, tensors, family) for tensors in held if set(tensors) != {lora.BIAS_DIFFERENCE}]
    if not shapes:
        raise FileProblem(f"{key} has a difference of its bias alone, which the WebUI does not read. Name the "
                          "checkpoint as the base, so that one of its weight can be written beside it.")
    longest = max(shapes, key=len)
    if any(shape[0] != longest[0] or torch.Size(shape).numel() != torch.Size(longest).numel() for shape in shapes):
        raise FileProblem(f"{key} is of the shapes {' and '.join(map(str, dict.fromkeys(shapes)))} in these files, "
                          "which are for different models.")
    return longest


def require_known(key: str, held: list[tuple[Tensors, float]], parts: Sequence[OpenPart]) -> None:
    """Raises FileProblem for a layer that holds numbers that are not finite, or is of no known kind."""
    for tensors, _ in held:
        if lora.method_of_tensors(tensors) is None:
            raise FileProblem(f"{key} is of no known kind: it holds {', '.join(sorted(tensors))}.")
        if not all(t.isfinite().all() for t in tensors.values()):
            names = ", ".join(part.file.path.name for part in parts)
            raise FileProblem(f"{key} of {names} holds numbers that are not finite (NaN). It was broken when it was "
                              "trained.")


def common_family(files: Sequence[AdapterFile], base: Checkpoint | None = None) -> Family:
    """Raises FileProblem where they are for different ones."""
    known = [(file.path.name, file.certain_family) for file in files if file.certain_family]
    guessed = [(file.path.name, family) for file in files if (family := known_family(file))]
    if base is not None:  # a guess may be wrong between families with the same names
        known += [pair for pair in guessed if pair[1].lora_names != base.family.lora_names]
        known.append((base.path.name, base.family))
    known = known or guessed
    if not known:
        return files[0].family  # says why not
    first, family = known[0]
    for name, other in known[1:]:
        if other is not family:
            raise FileProblem(f"{first} is for {family.title}, but {name} is for {other.title}. They do not fit "
                              "together.")
    return family


def known_family(file: AdapterFile) -> Family | None:
    try:
        return file.family
    except FileProblem:
        return None


def require_base(files: Sequence[AdapterFile], base: Checkpoint | None) -> None:
    """Raises FileProblem where a file multiplies the base and none is named."""
    for file in files:
        if base is None and (found := file.multiplying()):
            kind = "DoRA" if "dora_scale" in file.names[found[0]] else "a kind"
            raise FileProblem(f"{file.path.name} holds {kind} that multiplies the weights of its checkpoint. Name that "
                              "checkpoint as the base; the result is then the difference to it.")


def dtype_of(precision: str, files: Sequence[AdapterFile], layers: Sequence[str], out: Path) -> torch.dtype:
    """What matrices are saved in. Raises FileProblem for bf16 where the WebUI would round the model with it."""
    if precision:
        dtype = lora.DTYPES[precision]
    else:
        found = {FLOATS.get(file.dtype(key), torch.float32) for file in files for key in file.layers}
        dtype = found.pop() if len(found) == 1 else torch.float32
    if dtype == torch.bfloat16 and any(not is_lora(file, key) for file in files for key in file.layers):
        if precision:
            raise FileProblem(f"{out.name} would hold more than plain LoRA in bf16, with which the WebUI rounds the "
                              "model's own weights. Use fp16 or fp32.")
        return torch.float32
    return dtype


def is_lora(file: AdapterFile, key: str) -> bool:
    return set(file.names[key]) <= {UP, DOWN, "alpha", "lora_mid.weight"}


def add_words(out: NewFile, files: Sequence[AdapterFile]) -> None:
    """The words that are bundled with the files; of two of one name the first."""
    taken: set[str] = set()
    for file in files:
        for name in file.names.get(lora.BUNDLED, {}).values():
            if name not in taken:
                out.add(name, file.get(name))
                taken.add(name)
