"""The optimisers of other trainers: which of ours they are, and what they were called with."""

import re

from ..config.optimizers import OPTIMIZERS
from ..settings import SettingError
from .translation import Target, Translation

SAME = {"adamw": "AdamW", "adamw8bit": "AdamW 8 bit", "8bitadamw": "AdamW 8 bit", "pagedadamw8bit": "AdamW 8 bit paged",
        "paged8bitadamw": "AdamW 8 bit paged", "adafactor": "Adafactor", "lion": "Lion", "prodigy": "Prodigy",
        "adamwschedulefree": "AdamW schedule-free", "came": "CAME"}
NEAREST = {  # the first whose pattern is found; those that find their rate are given 1.0
    "prodigy|dadapt": "Prodigy", "schedulefree": "AdamW schedule-free", "lion": "Lion", "adam": "AdamW"}
THEIRS = {  # what is not said means there, where it means something else here
    **dict.fromkeys(("Adafactor", "Lion", "AdamW schedule-free", "CAME"), {"weight_decay": "0"}),
    "Prodigy": {"weight_decay": "0", "betas": "0.9, 0.999"}}
ARGUMENTS: dict[str, Target] = {"weight_decay": ("training", "weight_decay"), "betas": ("training", "betas"),
                                "eps": ("training", "epsilon")}
AS_HERE = {"decouple": "true", "use_bias_correction": "true", "safeguard_warmup": "true", "scale_parameter": "false",
           "relative_step": "false", "warmup_init": "false", "d_coef": "1"}


def optimizer(translation: Translation, key: str, arguments: str = "") -> None:
    """arguments: the key of what it was called with, where there is one."""
    name = str(translation.take(key) or "AdamW")
    plain = re.sub("[^a-z0-9]", "", name.lower().rpartition(".")[2])
    near = next((ours for pattern, ours in NEAREST.items() if re.search(pattern, plain)), "")
    ours = SAME.get(plain) or near or "AdamW"
    translation.put(("training", "optimizer"), ours, key)
    if plain not in SAME:
        translation.drop(key, f"{near} is the nearest setting" if near else
                         "it is trained with AdamW, which may need other learning rates")
    given = arguments_of(str(translation.take(arguments) or "")) if arguments else {}
    if ours == "Adafactor" and given.get("relative_step", "").lower() != "false":
        translation.drop(key, "there it chose its learning rate itself; here it follows the one that is set")
    taken = {name: value for name, value in {**(THEIRS.get(ours, {}) if arguments else {}), **given}.items()
             if name in ARGUMENTS and takes(ours, name, value)}
    for name, value in taken.items():
        translation.put(ARGUMENTS[name], value, arguments)
    if any(name not in taken and AS_HERE.get(name) != value.lower().removesuffix(".0")
           for name, value in given.items()):
        translation.drop(arguments, "only weight_decay, betas and eps are imported, where the optimizer takes them")


def takes(ours: str, argument: str, value: str) -> bool:
    """Whether our optimiser can be called with this."""
    try:
        OPTIMIZERS[ours].called_with(value if argument == "betas" else "", 1.0 if argument == "eps" else 0.0)
    except SettingError:
        return False
    return True


def arguments_of(text: str) -> dict[str, str]:
    """"a=1 b=(2, 3)", or a list of such, as names and values."""
    parts = re.split(r"[\s'\",\[\]]+(?=\w+=)", f" {text}")
    pairs = (part.strip(" '\",[]").partition("=") for part in parts)
    return {name.strip(): value.strip(" ()'\"") for name, _, value in pairs if name}
