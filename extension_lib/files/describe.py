"""What a file is: kinds, family, ranks, words, training settings, and how strong it is in each block."""

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from ..export.card import read_card
from ..export.header import loads_as, words_in_header
from ..export.lora_names import PEFT
from ..families.family import Family
from . import keys
from .arithmetic import BIAS, DOWN, delta_of, factors, is_product
from .base import Checkpoint, opened_checkpoint
from .combine import known_family
from .made import MADE
from .programs import readers_of_file
from .progress import Tool, counted_off
from .singular import norm_of_product
from .source import AdapterFile, FileProblem, Tensors, kind_of, multiplies, opened

FREQUENT = 8  # words of captions that are told
TRAINING = {  # kohya's keys of what a file was trained with, and how they are called here
    "ss_steps": "steps", "ss_epoch": "epochs", "ss_num_train_images": "pictures", "ss_resolution": "resolution",
    "ss_total_batch_size": "batch", "ss_batch_size_per_device": "batch on a device", "ss_unet_lr": "UNet's rate",
    "ss_text_encoder_lr": "text encoder's rate", "ss_learning_rate": "rate", "ss_lr_scheduler": "schedule",
    "ss_optimizer": "optimizer", "ss_noise_offset": "noise offset", "ss_min_snr_gamma": "min-SNR gamma",
    "ss_clip_skip": "clip skip", "ss_seed": "seed", "ss_mixed_precision": "mixed precision"}
EMPTY = ("", "None", "null")


@dataclass
class Description:
    """What a file is. ranks: how many layers are of a rank; strength: by block, the norm of what is added to it, and
    with a base relative to that of its weights; unknown: layers whose strength cannot be told without a base.
    """

    path: Path
    size: int
    family: Family | None
    layout: str
    header: dict[str, str]
    kinds: Counter[str] = field(default_factory=Counter)
    ranks: Counter[int] = field(default_factory=Counter)
    alphas: Counter[float] = field(default_factory=Counter)
    parts: Counter[str] = field(default_factory=Counter)
    precisions: Counter[str] = field(default_factory=Counter)
    strength: dict[str, float] = field(default_factory=dict)
    unknown: int = 0
    card: dict[str, object] = field(default_factory=dict)
    readers: list[str] = field(default_factory=list)  # programs that read it as it is meant

    @property
    def base(self) -> str:
        """The checkpoint that it was trained on."""
        return next((value for name in ("ss_sd_model_name", "ss_new_sd_model_hash", "ss_sd_model_hash")
                     if (value := self.header.get(name, "")) not in EMPTY), "")

    @property
    def words(self) -> list[str]:
        """What to type: the words that were learned, then those of the card and the header."""
        said = [*words_in_header(self.header), str(self.card.get("activation text") or ""),
                self.header.get("modelspec.trigger_phrase", "")]
        return list(dict.fromkeys(word for word in said if word))

    @property
    def frequent(self) -> list[str]:
        """The most frequent parts of the captions that it was trained with."""
        counted: Counter[str] = Counter()
        for tags in loads_as(self.header.get("ss_tag_frequency"), dict).values():
            counted.update({str(tag).strip(): n for tag, n in tags.items() if isinstance(n, int)}
                           if isinstance(tags, dict) else {})
        return [tag for tag, _ in counted.most_common(FREQUENT)]

    @property
    def notes(self) -> str:
        return str(self.card.get("notes") or self.header.get("modelspec.description") or
                   self.header.get("ss_training_comment") or "")

    @property
    def training(self) -> dict[str, str]:
        """Settings that it was trained with, by their names here."""
        return {title: self.header[key] for key, title in TRAINING.items()
                if self.header.get(key, "") not in EMPTY}

    @property
    def made_by(self) -> str:
        """The tool that made it of other files, and which."""
        how = loads_as(self.header.get(MADE), dict)
        return f"{how.get('tool')}: {', '.join(map(str, how.get('files', ())))}" if how else ""


def describe(path: Path, base: Path | None = None) -> Tool[Description]:
    """The description is the result. Raises FileProblem."""
    with ExitStack() as stack:
        file = stack.enter_context(opened(path))
        checkpoint = stack.enter_context(opened_checkpoint(base)) if base else None
        family = checkpoint.family if checkpoint else known_family(file)
        found = Description(path, path.stat().st_size, family, layout_of(file), file.header,
                            card=read_card(path.with_suffix(".json")))
        strengths = Strengths(family, checkpoint)
        for key, progress in counted_off(file.layers):
            tensors = file.tensors(key)
            count(found, key, tensors, file)
            strengths.add(key, tensors)
            yield progress
        found.strength, found.unknown = strengths.by_block(), strengths.unknown
        found.readers = readers_of_file(file.names[key] for key in file.layers) if found.layout == "kohya" else []
    return found


def layout_of(file: AdapterFile) -> str:
    """Whose names a file has."""
    name = next(iter(file.shapes))
    if name.startswith(PEFT):
        return "PEFT"
    if name.startswith(("diffusion_model.", "text_encoders.")):
        return "ComfyUI"
    if name.startswith(("unet.", "text_encoder.", "text_encoder_2.")):
        return "diffusers"
    if name.startswith(("lora_unet.", "lora_te.", "lora_te1.", "clip_l.")):
        return "OneTrainer"
    return "LyCORIS" if name.startswith("lycoris_") else "kohya"


def count(found: Description, key: str, tensors: Tensors, file: AdapterFile) -> None:
    kind = kind_of(tensors)
    title = kind.title if kind else "unknown"
    found.kinds[f"{title}, DoRA" if "dora_scale" in tensors else title] += 1
    found.parts[keys.part_of(key)] += 1
    found.precisions[file.dtype(key)] += 1
    if (rank := rank_of(tensors)) is not None:
        found.ranks[rank] += 1
        if "alpha" in tensors:
            found.alphas[round(float(tensors["alpha"].float().mean()), 4)] += 1


def rank_of(tensors: Tensors) -> int | None:
    for name in (DOWN, "hada_w1_b", "lokr_w2_b", "lokr_w1_b", "a1.weight"):
        if name in tensors:
            return tensors[name].shape[0]
    return None


class Strengths:
    """By block, sums of squares."""

    def __init__(self, family: Family | None, base: Checkpoint | None):
        self.family, self.base, self.unknown = family, base, 0
        self.own: dict[str, float] = {}
        self.whole: dict[str, float] = {}

    def add(self, key: str, tensors: Tensors) -> None:
        if self.family is None or kind_of(tensors) is None:
            self.unknown += 1
            return
        try:
            block, square = keys.block_of(key, self.family), self.square(key, tensors, self.family)
        except (FileProblem, KeyError):
            self.unknown += 1
            return
        self.own[block] = self.own.get(block, 0.0) + square
        if self.base is not None and self.base.has(key):
            whole = self.base.parameter(key).float().square().sum().item()
            self.whole[block] = self.whole.get(block, 0.0) + whole

    def square(self, key: str, tensors: Tensors, family: Family) -> float:
        """Raises FileProblem where it cannot be told."""
        if is_product(tensors) and BIAS not in tensors:
            return norm_of_product(*factors(tensors))**2
        if multiplies(tensors) and (self.base is None or not self.base.has(key)):
            raise FileProblem(f"{key} multiplies the weight of a layer that the base does not have.")
        weight = self.base.parameter(key).float() if self.base is not None and self.base.has(key) else None
        delta = delta_of(key, tensors, family, weight)
        return sum(t.double().square().sum().item() for t in delta if t is not None)

    def by_block(self) -> dict[str, float]:
        """Norms, in the blocks' order; with a base relative to the norm of its weights in the same layers."""
        order = self.family.blocks if self.family else ()
        return {block: (self.own[block] / (self.whole.get(block) or 1.0))**0.5
                for block in order if block in self.own}
