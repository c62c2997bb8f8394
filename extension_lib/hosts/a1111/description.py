"""The .yaml beside a checkpoint, by which the WebUI builds its model; without one it takes every SDXL for epsilon."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

from ...families.kind import CheckpointKind
from ...families.prediction import Prediction
from ...host import Checkpoint, HostError
from ...models.detect import said_beside
from ...support.disk import write_text

VELOCITY = "sgm.modules.diffusionmodules.denoiser_scaling.VScaling"


def path_beside(checkpoint: Checkpoint) -> Path:
    return checkpoint.path.with_suffix(".yaml")


def drawn_as_epsilon(checkpoint: Checkpoint, kind: CheckpointKind | None) -> bool:
    """Whether the WebUI takes a checkpoint that predicts v for epsilon. It tries out unmarked families by itself."""
    predicted = kind and kind.prediction
    return bool(kind and predicted and predicted.kind == Prediction("v").kind and not kind.family.unmarked
                and said_beside(path_beside(checkpoint)) != "v")


def write_beside(checkpoint: Checkpoint, known: Path) -> Path:
    """Writes the WebUI's own description of such a model, with v in it. Raises HostError, SaveError."""
    path = path_beside(checkpoint)
    if path.exists():
        raise HostError(f"{path.name} exists and is not overwritten. Move it away first.")
    described = with_velocity(yaml.safe_load(known.read_text(encoding="utf-8")))
    write_text(path, yaml.safe_dump(described, sort_keys=False))
    return path


def with_velocity(described: dict[str, Any]) -> dict[str, Any]:
    """The description of a model that predicts v."""
    params = described["model"]["params"]
    if "denoiser_config" in params:
        params["denoiser_config"]["params"]["scaling_config"]["target"] = VELOCITY
    else:
        params["parameterization"] = "v"
    return described


def shapes_in(path: Path) -> dict[str, Any]:
    """What the WebUI tells a model by, without its tensors."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        return {key: SimpleNamespace(shape=tuple(file.get_slice(key).get_shape())) for key in file.keys()}  # noqa: SIM118
