"""Verifies a saved file: what the host's loader reads must be what was trained."""

from collections.abc import Mapping

from torch import Tensor

from ..events import Event, Warned

TOLERANCE = {"fp32": 1e-5, "fp16": 2e-3, "bf16": 2e-2}  # relative, per layer
# Relative to the largest layer's delta: a smaller delta counts as zero. fp16 has steps of 6e-8 near zero.
NEGLIGIBLE = {"fp32": 1e-6, "fp16": 2e-5, "bf16": 1e-6}


def less_precise(one: str, other: str) -> str:
    """The less precise of two: a host in half precision may store a file's fp32 values in half precision."""
    return max(one, other, key=TOLERANCE.__getitem__)


def differences(loaded: Mapping[str, Tensor], trained: Mapping[str, Tensor], precision: str) -> list[str]:
    """A line for every layer that is missing, extra, or read differently from how it was trained.

    One tensor of each side is held at a time.
    """
    lines = [f"{key} was trained but is not loaded" for key in trained if key not in loaded]
    lines += [f"{key} is loaded but was not trained" for key in loaded if key not in trained]
    sizes, errors = {}, {}
    for key in trained:
        wanted = trained[key]
        sizes[key] = wanted.norm().item()
        if key not in loaded:
            continue
        found = loaded[key]
        if found.shape == wanted.shape:
            errors[key] = (found - wanted).norm().item()
        else:
            lines.append(f"{key} is loaded as {tuple(found.shape)} instead of {tuple(wanted.shape)}")
    floor = NEGLIGIBLE[precision] * max(sizes.values(), default=0.0)
    lines += [f"{key} is loaded with an error of {error / max(sizes[key], floor):.2g} of its size"
              for key, error in errors.items() if not error <= TOLERANCE[precision] * sizes[key] + floor]
    return sorted(lines)


def verdict_events(name: str, lines: list[str]) -> list[Event]:
    if not lines:
        return []
    more = f" ({len(lines)} layers in all)" if len(lines) > 1 else ""
    return [Warned(f"The file {name} does not load as it was trained: {lines[0]}{more}. Do not use it; save again.")]
