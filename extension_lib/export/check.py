"""The proof of a file: what the host's loader makes of it must be what was trained."""

from torch import Tensor

from ..events import Event, Warned

TOLERANCE = {"fp32": 1e-5, "fp16": 2e-3, "bf16": 2e-2}  # relative, per layer
# Of the largest layer's delta: a layer this still has learned nothing. fp16 rounds what is below 6e-8 in steps of 6e-8.
NOTHING = {"fp32": 1e-6, "fp16": 2e-5, "bf16": 1e-6}


def differences(loaded: dict[str, Tensor], trained: dict[str, Tensor], precision: str) -> list[str]:
    """A line for every layer that the loader missed, invented, or read otherwise than it was trained."""
    lines = [f"{key} was trained but is not loaded" for key in trained if key not in loaded]
    lines += [f"{key} is loaded but was not trained" for key in loaded if key not in trained]
    floor = NOTHING[precision] * max((t.norm().item() for t in trained.values()), default=0.0)
    for key in trained.keys() & loaded.keys():
        if loaded[key].shape != trained[key].shape:
            lines.append(f"{key} is loaded as {tuple(loaded[key].shape)} instead of {tuple(trained[key].shape)}")
            continue
        size, off = trained[key].norm().item(), (loaded[key] - trained[key]).norm().item()
        if not off <= TOLERANCE[precision] * size + floor:
            lines.append(f"{key} is loaded with an error of {off / max(size, floor):.2g} of its size")
    return sorted(lines)


def verdict(name: str, lines: list[str]) -> list[Event]:
    if not lines:
        return []
    more = f" ({len(lines)} layers in all)" if len(lines) > 1 else ""
    return [Warned(f"The file {name} does not load as it was trained: {lines[0]}{more}. Do not use it; save again.")]
