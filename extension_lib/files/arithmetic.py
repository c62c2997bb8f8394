"""One layer's tensors as numbers: scaled, added up, as a product of two matrices, or as the difference they make."""

from collections.abc import Callable, Sequence
from math import prod

import torch
from torch import Tensor

from ..export import lora
from ..families.family import Family
from ..methods.adapter import Delta, FormatError
from ..methods.low_rank import file_scale
from . import keys
from .singular import Keep, LowRank, norm_of_product, of_factors
from .source import FileProblem, Tensors, multiplies

# Of each kind, the tensors by which what it adds is multiplied when they are.
STRENGTHS = ("lora_up.weight", "hada_w1_a", "lokr_w1", "lokr_w1_a", "diff", "diff_b", "w_norm", "b_norm")
ALPHA = 16.0  # of what is written here; the matrices are scaled for it
UP, DOWN, MID, BIAS = "lora_up.weight", "lora_down.weight", "lora_mid.weight", lora.BIAS_DIFFERENCE
FindDelta = Callable[[Tensors], Delta]  # of a layer's tensors


def scaled(tensors: Tensors, factor: float) -> Tensors:
    """Tensors of the same kind that add so many times as much; not for kinds that multiply the base."""
    if factor == 1:
        return tensors
    return {name: t.float() * factor if name in STRENGTHS else t for name, t in tensors.items()}


def is_product(tensors: Tensors) -> bool:
    """Whether what a layer adds is the product of two matrices that are held."""
    return UP in tensors and not multiplies(tensors)


def factors(tensors: Tensors) -> tuple[Tensor, Tensor]:
    """(out, r) and (r, in), fp64, whose product is what a plain LoRA's layer adds. Raises FormatError, KeyError."""
    up, down = tensors[UP].double().flatten(1), tensors[DOWN].double()
    scale = file_scale(tensors, len(down))
    if MID in tensors:
        down = torch.einsum("rskl,si->rikl", tensors[MID].double(), down.flatten(1))
    return up * scale, down.flatten(1)


def shape_of(key: str, tensors: Tensors, family: Family) -> tuple[int, ...]:
    """Of the weight that a layer's tensors add to; where they do not tell, by the layer's name. Raises FileProblem."""
    for tensor in ("diff", "w_norm"):
        if tensor in tensors:
            return tuple(tensors[tensor].shape)
    try:
        rows, columns, kernel = rows_and_columns(tensors)
    except (KeyError, IndexError) as missing:
        if isinstance(missing, KeyError) and lora.method_of_tensors(tensors):
            raise FileProblem(f"{key} lacks {missing.args[0]}.") from None
        raise FileProblem(f"{key} is of no known kind: it holds {', '.join(sorted(tensors))}.") from None
    named = keys.kernel_of(key, family)
    if kernel or columns % prod(named):
        return rows, columns // prod(kernel), *kernel
    return rows, columns // prod(named), *named


def rows_and_columns(tensors: Tensors) -> tuple[int, int, tuple[int, ...]]:
    """What is multiplied out to: rows, columns, and the kernel's shape where that is told."""
    if UP in tensors:
        down = tensors[DOWN]
        kernel = tuple(tensors.get(MID, down).shape[2:])
        return tensors[UP].shape[0], down.shape[1] * prod(kernel), kernel
    if "hada_w1_a" in tensors:
        a, b, core = tensors["hada_w1_a"], tensors["hada_w1_b"], tensors.get("hada_t1")
        kernel = () if core is None else tuple(core.shape[2:])
        return a.shape[0 if core is None else 1], b.shape[1] * prod(kernel), kernel
    small, large = kronecker_side(tensors, "lokr_w1"), kronecker_side(tensors, "lokr_w2")
    return small[0] * large[0], small[1] * large[1], large[2]


def kronecker_side(tensors: Tensors, name: str) -> tuple[int, int, tuple[int, ...]]:
    if name in tensors:
        kernel = tuple(tensors[name].shape[2:])
        return tensors[name].shape[0], tensors[name][0].numel(), kernel
    a, b, core = tensors[f"{name}_a"], tensors[f"{name}_b"], tensors.get(name.replace("w", "t"))
    kernel = () if core is None else tuple(core.shape[2:])
    return a.shape[0 if core is None else 1], b.shape[1] * prod(kernel), kernel


def delta_of(key: str, tensors: Tensors, family: Family, weight: Tensor | None = None) -> Delta:
    """What a layer's tensors add. weight: the base's, fp32; without one, only of kinds that do not multiply it.

    Raises FileProblem.
    """
    if weight is None:
        if multiplies(tensors):
            raise FileProblem(f"{key} holds {kind_title(tensors)}, which multiplies the weights of its checkpoint. "
                              "Name the checkpoint as the base.")
        weight = torch.empty(shape_of(key, tensors, family), device="meta")
    try:
        return lora.adapter_delta(key, tensors, weight)
    except FormatError as error:
        raise FileProblem(str(error)) from None


def kind_title(tensors: Tensors) -> str:
    kind = lora.method_of_tensors(tensors)
    return "DoRA" if "dora_scale" in tensors else kind.title if kind else "an unknown kind"


def added(parts: Sequence[tuple[Tensors, float]], shape: tuple[int, ...], delta: FindDelta) -> Tensors:
    """Tensors that add what all parts add, each so many times. {}: they cancel each other out.

    Products of matrices are joined side by side, and lose the directions that cancel each other out; whatever else is
    added up becomes a difference.
    """
    if len(parts) == 1 and not multiplies(parts[0][0]) and set(parts[0][0]) != {BIAS}:
        return scaled(*parts[0]) if parts[0][1] else {}
    if all(is_product(tensors) for tensors, _ in parts):
        return with_bias(product_tensors(joined(parts), shape), sum_of_biases(parts), shape)
    deltas = [(delta(tensors), factor) for tensors, factor in parts]
    weight = sum((one.weight * factor for one, factor in deltas), torch.zeros(()))
    biases = [one.bias * factor for one, factor in deltas if one.bias is not None]
    return difference(weight, torch.stack(biases).sum(0) if biases else None)


def joined(parts: Sequence[tuple[Tensors, float]], keep: Keep = Keep()) -> LowRank:
    """The sum of products as one product."""
    pairs = [(factors(tensors), factor) for tensors, factor in parts]
    ups, downs = [up * factor for (up, _), factor in pairs], [down for (_, down), _ in pairs]
    size = sum(norm_of_product(up, down) for up, down in zip(ups, downs))
    return of_factors(torch.cat(ups, dim=1), torch.cat(downs), keep, size)


def sum_of_biases(parts: Sequence[tuple[Tensors, float]]) -> Tensor | None:
    biases = [tensors[BIAS].float() * factor for tensors, factor in parts if BIAS in tensors]
    return torch.stack(biases).sum(0) if biases else None


def product_tensors(low: LowRank, shape: tuple[int, ...]) -> Tensors:
    """A LoRA's tensors of this product, for a weight of this shape; {} for one of rank 0.

    All layers get one alpha: diffusers scales some wrongly where layers have several.
    """
    if not low.rank:
        return {}
    root = (low.rank / ALPHA)**0.5
    return {UP: (low.up * root).float().view(*low.up.shape, *[1] * (len(shape) - 2)),
            DOWN: (low.down * root).float().reshape(low.rank, *shape[1:]), "alpha": torch.tensor(ALPHA)}


def with_alpha(tensors: Tensors) -> Tensors:
    """A plain LoRA's tensors with the alpha of all that is written here; others as they are."""
    if not is_product(tensors):
        return tensors
    alpha = tensors["alpha"].item() if "alpha" in tensors else float(len(tensors[DOWN]))
    return {**tensors, UP: tensors[UP].float() * (alpha / ALPHA), "alpha": torch.tensor(ALPHA)}


def with_bias(tensors: Tensors, bias: Tensor | None, shape: tuple[int, ...]) -> Tensors:
    if bias is None:
        return tensors
    return {**tensors, BIAS: bias} if tensors else difference(torch.zeros(shape), bias)


def difference(weight: Tensor, bias: Tensor | None) -> Tensors:
    """A layer's change in full: of a norm under its own names, which have both."""
    if weight.dim() == 1:
        return {"w_norm": weight, "b_norm": torch.zeros_like(weight) if bias is None else bias}
    return {"diff": weight, **({} if bias is None else {BIAS: bias})}
