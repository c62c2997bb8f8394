"""A LoRA from two checkpoints: the difference of their weights, by singular values."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from ..export.lora import DTYPES
from . import keys, made
from .arithmetic import difference, product_tensors
from .base import Checkpoint, opened_checkpoint
from .new_file import NewFile, new_file, require_free
from .progress import Tool, counted_off
from .resize import Resized, how
from .singular import Keep, of_matrix
from .source import FileProblem


@dataclass(frozen=True)
class Extract:
    """What is told. keep: None for the difference in full, which also has norms and biases."""

    base: Path
    tuned: Path
    out: Path
    keep: Keep | None
    precision: str = "fp16"
    overwrite: bool = False


@dataclass
class Extracted(Resized):
    """What was found. same: layers without a difference."""

    same: list[str] = field(default_factory=list)


def extract(given: Extract) -> Tool[Extracted]:
    """Writes the LoRA; the result says the error. Raises FileProblem, SaveError."""
    require_free(given.out, given.overwrite, given.base, given.tuned)
    done = Extracted(given.out)
    with ExitStack() as stack:
        base, tuned = (stack.enter_context(opened_checkpoint(path)) for path in (given.base, given.tuned))
        if base.family is not tuned.family:
            raise FileProblem(f"{base.path.name} is {base.family.title}, but {tuned.path.name} is "
                              f"{tuned.family.title}.")
        layers = [key for key, leaf in base.places if leaf == "weight" and "_embeddings_" not in key]
        with new_file(given.out, DTYPES[given.precision]) as out:
            for key, progress in counted_off(layers):
                write_difference(out, key, base, tuned, given.keep, done)
                yield progress
            out.metadata = made.made_header(
                given.out, base.family, [], "extract", made.kind_header(done.ranks, given.keep is not None),
                base=base.path.name, tuned=tuned.path.name, relative_error=float(f"{done.error:.3g}"),
                **(how(given.keep))) | {"ss_sd_model_name": base.path.name}
    return done


def write_difference(out: NewFile, key: str, base: Checkpoint, tuned: Checkpoint, keep: Keep | None,
                     done: Extracted) -> None:
    weight = difference_of(key, "weight", base, tuned)
    bias = difference_of(key, "bias", base, tuned) if base.has(key, "bias") else None
    if weight is None and bias is None:
        done.same.append(key)
        return
    name = keys.file_key(key, base.family)
    if keep is None:
        whole = base.parameter(key).float() * 0 if weight is None else weight
        out.add_layer(name, difference(whole, bias))
        return
    if bias is not None:
        done.left_out.append(key)
    if weight is not None and weight.dim() > 1:
        low = of_matrix(weight.flatten(1), keep)
        done.dropped, done.total = done.dropped + low.dropped, done.total + low.total
        done.ranks += [low.rank] if low.rank else []
        out.add_layer(name, product_tensors(low, tuple(weight.shape)))


def difference_of(key: str, leaf: str, base: Checkpoint, tuned: Checkpoint) -> Tensor | None:
    """None where there is none. Raises FileProblem where the second checkpoint has no such layer."""
    if not tuned.has(key, leaf) or tuned.shape(key, leaf) != base.shape(key, leaf):
        raise FileProblem(f"{tuned.path.name} has no {leaf} of {key} in the shape that {base.path.name} has.")
    found = tuned.parameter(key, leaf).to(torch.float32, copy=True).sub_(base.parameter(key, leaf))
    return found if found.any() else None
