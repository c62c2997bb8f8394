"""Where Forge and its branch Neo differ in what Darkroom uses; all else in this folder is the same in both."""

import sys
from pathlib import Path
from typing import Any

from modules import sd_models


def title() -> str:
    """What people call this program."""
    return "Forge" if hasattr(sd_models, "load_model") else "Forge Neo"


def lora_extension() -> Any:
    """The built-in Lora extension's module; None when it is switched off."""
    return sys.modules.get("networks")


def forget_read_files() -> None:
    """Forge keeps the last files in memory by their names; Neo reads each anew."""
    read: Any = getattr(lora_extension(), "load_lora_state_dict", None)
    forget = getattr(read, "cache_clear", None)
    if forget:
        forget()


def key_map(make: Any, model: Any) -> dict[str, str]:
    """From keys in LoRA files to names of weights. Some versions return the weights' names before it.

    The second argument is given because their default is one dictionary for all models.
    """
    made = make(model, {})
    return dict(made[-1] if isinstance(made, tuple) else made)


def recognized(shapes: dict[str, Any]) -> Any:
    """What Forge takes a checkpoint for; None for one that it does not know. Neo raises."""
    import huggingface_guess  # a folder on the path that both set

    try:
        return huggingface_guess.guess(shapes)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def has_captioners() -> bool:
    """Neo has none."""
    return (Path(sd_models.__file__).parent / "deepbooru.py").exists()
