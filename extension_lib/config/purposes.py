"""Settings to start with, for what is trained and for the graphics card. They override the method's defaults.

Each has the form of a checkpoint's preset: sections, and under "methods" what is for one method only. The figures are
those that guides for Stable Diffusion 1 agree on; what a family says, and a checkpoint's own preset, override them.
"""

from dataclasses import dataclass
from typing import Any

from .. import methods
from ..settings import SettingError
from .run import merge_values

ProfileSettings = dict[str, Any]  # settings by section, and by_method's under "methods"


@dataclass(frozen=True)
class Profile:
    title: str
    settings: ProfileSettings
    help: str = ""  # of a graphics card's nothing but its settings is said: they differ by family and method


PURPOSES: dict[str, Profile] = {
    "thing": Profile("Thing", {}, "An object, an animal, a character: the methods' own settings."),
    "person": Profile(
        "Person", {
            "data": {"flip": False},
            "prior": {"weight": 0.7, "pictures": 200},
            "methods": {"textual_inversion": {"method": {"vectors": 6}}, "pivotal": {"method": {"vectors": 6}}},
        }, "A face must be exact: never mirrored, and class pictures count a little less."),
    "style": Profile(
        "Style", {
            "data": {"caption_dropout": 0.05},
            "noise": {"noise_offset": 0.05},
            "training": {"steps": 3000},
            "methods": {
                "textual_inversion": {"data": {"template": "style", "caption_dropout": 0.0}, "method": {"vectors": 8}},
                "pivotal": {
                    "data": {"template": "style", "caption_dropout": 0.0},
                    "method": {"vectors": 6, "rank": 16, "alpha": 16}
                },
                "lora": {"method": {"rank": 32, "alpha": 16, "text_rate": 2e-5}},
                "dylora": {"method": {"rank": 32, "alpha": 16, "text_rate": 2e-5}},
                "locon": {"method": {"rank": 32, "alpha": 16, "conv_rank": 16, "conv_alpha": 8, "text_rate": 2e-5}},
                "lokr": {"method": {"full_matrix": True}},
                "dreambooth": {"prior": {"preserve": False}},
                "hypernetwork": {"training": {"steps": 10_000}},
            },
        }, "A way of drawing: longer training, and some captions left out, so that the style needs no word."),
}

# Only what decides how much memory a step takes; docs/memory.md has the plans behind it. What is trained at once stays
# the same or grows: a smaller batch gathers more.
ONE_BY_ONE: ProfileSettings = {"training": {"checkpointing": True, "in_backward": True}, "method": {"bf16": True}}
LEAST = merge_values(ONE_BY_ONE, {"training": {"optimizer": "Adafactor"}})
ONE = {"training": {"batch_size": 1}}

GPUS: dict[str, Profile] = {
    "6": Profile("Graphics card with 6 GB", {
        "training": {"batch_size": 2, "accumulation": 1, "checkpointing": True, "offload": False},
        "methods": {"textual_inversion": {"training": {"accumulation": 2}},
                    "dreambooth": merge_values(LEAST, ONE), "full": LEAST},
    }),
    "8": Profile("Graphics card with 8 GB", {
        "training": {"batch_size": 2, "accumulation": 1, "checkpointing": False},
        "methods": {"textual_inversion": {"training": {"accumulation": 2}},
                    "dreambooth": merge_values(LEAST, ONE), "full": ONE_BY_ONE},
    }),
    "12": Profile("Graphics card with 12 GB", {
        "training": {"batch_size": 2, "accumulation": 1, "checkpointing": False},
        "methods": {"textual_inversion": {"training": {"batch_size": 4}}, "dreambooth": merge_values(ONE_BY_ONE, ONE)},
    }),
    "16": Profile("Graphics card with 16 GB", {
        "training": {"batch_size": 4, "accumulation": 1, "checkpointing": False},
        "methods": {"dreambooth": merge_values(ONE_BY_ONE, ONE), "full": {"training": {"batch_size": 2}}},
    }),
    "24": Profile("Graphics card with 24 GB", {
        "training": {"batch_size": 4, "accumulation": 1, "checkpointing": False},
        "methods": {"dreambooth": {"training": {"batch_size": 2}}},
    }),
}


def profile_settings(table: dict[str, Profile], name: str) -> ProfileSettings:
    """The settings of a profile; none for "". Raises SettingError."""
    if name and name not in table:
        raise SettingError(f"{name!r} is not among {', '.join(table)}.")
    return table[name].settings if name else {}


def apply_profile(values: ProfileSettings, layer: ProfileSettings, method: str,
                  source: Any = "This") -> ProfileSettings:
    """values with a layer put over them: what it says of all methods, then what it says of this one.

    Raises SettingError for a layer that names a method that does not exist; source is what the message calls it.
    """
    by_method = layer.get("methods", {})
    unknown = set(by_method) - set(methods.all_methods())
    if unknown:
        raise SettingError(f"{source} names methods that do not exist: {', '.join(sorted(unknown))}.")
    general = {section: changes for section, changes in layer.items() if section != "methods"}
    return merge_values(merge_values(values, general), by_method.get(method, {}))


def settings_decided_by(table: dict[str, Profile], method: str) -> list[tuple[str, str]]:
    """Section and name of every setting that a profile of this table can change for a method."""
    return list(
        dict.fromkeys((section, name)
                      for choice in table.values()
                      for section, changes in apply_profile({}, choice.settings, method).items()
                      for name in changes))
