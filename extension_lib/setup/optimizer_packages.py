"""The packages of optimisers: whether they are there, and how one is added."""

import importlib.util

from ..config.optimizers import OPTIMIZERS, OptimizerKind
from ..settings import SettingError
from . import installation


def is_installed(kind: OptimizerKind) -> bool:
    return importlib.util.find_spec(kind.module.partition(".")[0]) is not None


def require_installed(kind: OptimizerKind) -> None:
    """Raises SettingError."""
    if not is_installed(kind):
        raise SettingError(f"{kind.name} needs the package {kind.package}, which is not installed. Install it below "
                           f"Optimizer in the Train tab, or with: pip install {kind.package}")


def install(name: str) -> str:
    """Adds the package of the optimiser of this name without changing any other; returns what went wrong, or ""."""
    kind = OPTIMIZERS[name]
    problem = installation.add([kind.package])
    return "" if is_installed(kind) else problem or f"{kind.package} could not be added."
