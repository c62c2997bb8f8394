"""Files of another rank, or of none: by singular values, with the error that this makes; or the difference in full."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from ..families.family import Family
from . import combine, keys, made
from .arithmetic import BIAS, delta_of, difference, factors, is_product, product_tensors, shape_of
from .base import Checkpoint, opened_checkpoint
from .new_file import NewFile, new_file, require_free
from .progress import Tool, counted_off
from .singular import Keep, LowRank, of_factors, of_matrix
from .source import AdapterFile, FileProblem, Tensors, multiplies, opened

RANKS = (1, 4096)


@dataclass(frozen=True)
class Resize:
    """What is told. keep: None for the difference in full. base: for kinds that multiply it."""

    path: Path
    out: Path
    keep: Keep | None
    base: Path | None = None
    precision: str = ""
    overwrite: bool = False


@dataclass
class Resized:
    """What a file became: the largest rank, and what was left out."""

    path: Path
    ranks: list[int] = field(default_factory=list)
    dropped: float = 0.0  # sums of squares
    total: float = 0.0
    left_out: list[str] = field(default_factory=list)  # layers that are not of matrices

    @property
    def error(self) -> float:
        """Relative, over the whole file."""
        return (max(self.dropped, 0.0) / self.total)**0.5 if self.total else 0.0

    @property
    def rank(self) -> int:
        return max(self.ranks, default=0)


class Opened(NamedTuple):
    file: AdapterFile
    base: Checkpoint | None
    family: Family

    def weight(self, key: str, tensors: Tensors) -> Tensor | None:
        """The base's, where the layer multiplies it. Raises FileProblem."""
        if not multiplies(tensors):
            return None
        if self.base is None or not self.base.has(key):
            raise FileProblem(f"{key} multiplies the weight of a layer that the base does not have.")
        return self.base.parameter(key).float()


@contextmanager
def opened_with_base(path: Path, base: Path | None) -> Iterator[Opened]:
    """Raises FileProblem, also where a base is needed and none is named."""
    with ExitStack() as stack:
        file = stack.enter_context(opened(path))
        checkpoint = stack.enter_context(opened_checkpoint(base)) if base else None
        combine.require_base([file], checkpoint)
        yield Opened(file, checkpoint, combine.common_family([file], checkpoint))


def resize(given: Resize) -> Tool[Resized]:
    """Writes the file; the result says the error. Raises FileProblem, SaveError."""
    require_free(given.out, given.overwrite, given.path, given.base)
    done = Resized(given.out)
    with opened_with_base(given.path, given.base) as here:
        dtype = combine.dtype_of(given.precision, [here.file], here.file.layers, given.out)
        with new_file(given.out, dtype) as out:
            for key, progress in counted_off(here.file.layers):
                write_layer(out, key, here, given.keep, done)
                yield progress
            combine.add_words(out, [here.file])
            kind = made.kind_header(done.ranks, given.keep is not None)
            out.metadata = made.made_header(given.out, here.family, [here.file], "resize", kind, **how(given.keep),
                                            relative_error=float(f"{done.error:.3g}"))
    return done


def how(keep: Keep | None) -> dict[str, object]:
    return {"full": True} if keep is None else {name: value for name, value in vars(keep).items() if value is not None}


def write_layer(out: NewFile, key: str, here: Opened, keep: Keep | None, done: Resized) -> None:
    tensors = here.file.tensors(key)
    combine.require_known(key, [(tensors, 1.0)], [combine.OpenPart(here.file, 1.0, {})])
    changed = in_full(key, tensors, here) if keep is None else of_rank(key, tensors, here, keep, done)
    if changed:
        out.add_layer(keys.file_key(key, here.family), changed)


def in_full(key: str, tensors: Tensors, here: Opened) -> Tensors:
    delta = delta_of(key, tensors, here.family, here.weight(key, tensors))
    return difference(delta.weight, delta.bias)


def of_rank(key: str, tensors: Tensors, here: Opened, keep: Keep, done: Resized) -> Tensors:
    """Layers that are not of matrices are left out, and so are biases: plain LoRA has no place for them."""
    if "w_norm" in tensors or BIAS in tensors:
        done.left_out.append(key)
    if "w_norm" in tensors:
        return {}
    low, shape = approximated(key, tensors, here, keep)
    done.dropped, done.total = done.dropped + low.dropped, done.total + low.total
    done.ranks += [low.rank] if low.rank else []
    return product_tensors(low, shape)


def approximated(key: str, tensors: Tensors, here: Opened, keep: Keep) -> tuple[LowRank, tuple[int, ...]]:
    if is_product(tensors):
        return of_factors(*factors(tensors), keep), shape_of(key, tensors, here.family)
    weight = delta_of(key, tensors, here.family, here.weight(key, tensors)).weight
    if weight.dim() < 2:
        raise FileProblem(f"{key} changes a vector, which has no rank. Save the difference in full instead.")
    return of_matrix(weight.flatten(1), keep), tuple(weight.shape)


def parse_keep(rank: int | None, energy: float | None, error: float | None) -> Keep:
    """Raises FileProblem for what is out of range."""
    if rank is not None and not RANKS[0] <= rank <= RANKS[1]:
        raise FileProblem(f"The rank is {rank}, but must be {RANKS[0]} to {RANKS[1]}.")
    for name, value in (("share of the energy", energy), ("error", error)):
        if value is not None and not 0 < value < 1:
            raise FileProblem(f"The {name} is {value:g}, but must be between 0 and 1.")
    return Keep(rank, energy, error)
