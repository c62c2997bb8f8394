"""The checkpoint that kohya's settings are for: its family, and what its UNet predicts."""

from ..families import FAMILIES
from ..families.family import Family
from ..families.prediction import Prediction
from .translation import Translation

FLAGS = {"v2": "sd2", "sdxl": "sdxl", "sdxl_checkbox": "sdxl"}  # switched on, they name a family
OTHERS = ("sd3_checkbox", "flux1_checkbox", "lumina_checkbox")


def checkpoint_kind(translation: Translation) -> None:
    """The checkpoint itself says its family; a file that says nothing of its prediction gets it from here."""
    family = next((family for key, name in FLAGS.items() if translation.take(key) is True
                   for family in FAMILIES if family.name == name), None)
    if family:
        without_effect(translation, family)
    v, zero_snr = (translation.take(key) is True for key in ("v_parameterization", "zero_terminal_snr"))
    if v or zero_snr:
        chosen = Prediction("v" if v else "eps", zero_snr)
        translation.put(("base", "prediction"), chosen.title, "v_parameterization" if v else "zero_terminal_snr")
    for key in OTHERS:
        if translation.take(key) is True:
            translation.drop(key, "Darkroom does not train such checkpoints")


def without_effect(translation: Translation, family: Family) -> None:
    data = translation.values.get("data", {})
    if not family.clip_skip and data.get("clip_skip", 1) != 1:
        del data["clip_skip"]
        translation.drop("clip_skip", f"has no effect on {family.title}")
