"""sd-scripts' own settings, as --config_file reads them: flat or in sections of any name."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..config.paths import path_beside
from ..settings import to_bool
from ..support.disk import is_file, read_bounded
from . import kohya_gui
from .translation import Imported, Translation, with_defaults

MARKS = {"network_module", "pretrained_model_name_or_path", "train_batch_size", "train_data_dir", "dataset_config"}
DEFAULTS = {
    **kohya_gui.DEFAULTS, "enable_bucket": False, "lr_scheduler": "constant", "lr_warmup": 0, "learning_rate": 2e-6,
    "save_precision": "float"
}
OF_ADAPTERS = {"network_dim": 4, "network_alpha": 1}
NAMES = {  # kohya_ss' name -> the name here
    "max_resolution": "resolution", "optimizer": "optimizer_type", "LoRA_type": "network_module",
    "LyCORIS_preset": "preset", "network_dropout": "dropout"
}
MODULES = {
    "networks.lora": "Standard", "networks.lora_fa": "LoRA-FA", "networks.dylora": "Kohya DyLoRA",
    "networks.loha": "Kohya LoHa", "networks.lokr": "Kohya LoKr"
}
ALGORITHMS = {
    "lora": "LoCon", "locon": "LoCon", "loha": "LoHa", "lokr": "LoKr", "ia3": "iA3", "dylora": "DyLoRA",
    "glora": "GLoRA", "full": "Native Fine-Tuning", "diag-oft": "Diag-OFT", "boft": "BOFT"
}


def recognizes(source: Any, path: Path) -> bool:
    if not isinstance(source, Mapping):
        return False
    keys = flattened(source).keys()
    return "network_module" in keys or path.suffix.lower() == ".toml" and not MARKS.isdisjoint(keys)


def flattened(source: Mapping[str, Any]) -> dict[str, Any]:
    """Without its sections, whose names mean nothing there."""
    flat: dict[str, Any] = {}
    for key, value in source.items():
        flat.update(value if isinstance(value, Mapping) else {key: value})
    return flat


def translate(source: Mapping[str, Any], path: Path) -> Imported:
    given = flattened(source)
    values = with_defaults(under_names_of_page(given), DEFAULTS)
    if "network_module" in given:
        values = with_defaults(with_network(values, given), OF_ADAPTERS)
    else:
        values.setdefault("learning_rate_te", values["learning_rate"])
    values["stop_text_encoder_training"] = percent_of_steps(values, "stop_text_encoder_training")
    translation = Translation(values, kohya_gui.method_of(values), names=NAMES)
    translation.seen |= {"network_module", "network_args", "network_train_unet_only", "network_train_text_encoder_only"}
    read_prompts(translation, path)
    return kohya_gui.translate_keys(translation, path, length)


def percent_of_steps(values: Mapping[str, Any], key: str) -> Any:
    """kohya_ss has percents where there are steps; below 0 is never."""
    steps, whole = values.get(key), values.get("max_train_steps", kohya_gui.STEPS)
    if values.get("max_train_epochs") or not isinstance(steps, (int, float)) or not isinstance(whole, (int, float)):
        return steps
    return 100 * steps / whole if steps > 0 and whole > 0 else steps


def under_names_of_page(given: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: own for own, name in NAMES.items()}
    return {shown.get(key, key): value for key, value in given.items()}


def with_network(values: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with the network's arguments among them, and its kind under kohya_ss' name."""
    arguments = network_arguments(given.get("network_args"))
    module, algorithm = str(given["network_module"]), str(arguments.pop("algo", "lora")).lower()
    out = {**values, **under_names_of_page(arguments), **trained_part(values, given)}
    if module.startswith("lycoris"):
        for conv, plain in (("conv_dim", "network_dim"), ("conv_alpha", "network_alpha")):
            out.setdefault(conv, values.get(plain, OF_ADAPTERS[plain]))
        return {**out, "LoRA_type": f"LyCORIS/{ALGORITHMS.get(algorithm, algorithm)}"}
    kind = "Kohya LoCon" if module == "networks.lora" and "conv_dim" in out else MODULES.get(module, module)
    return {**({"conv_alpha": 1} if kind == "Kohya LoCon" else {}), **out, "LoRA_type": kind}


def network_arguments(listed: Any) -> dict[str, Any]:
    """["conv_dim=4", "algo=lora"] as names and values."""
    pairs = (str(one).partition("=") for one in (listed if isinstance(listed, list) else str(listed or "").split()))
    return {name.strip(): as_bool(value.strip()) for name, _, value in pairs}


def as_bool(text: str) -> Any:
    return to_bool(text, "") if text.lower() in ("true", "false") else text


def trained_part(values: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The rates, where only the UNet or only the text encoder is trained, or the text encoder's stands in a list."""
    rate, text = values["learning_rate"], values.get("text_encoder_lr")
    rates = {"text_encoder_lr": text[0]} if isinstance(text, list) and len(text) == 1 else {}
    if given.get("network_train_unet_only"):
        return {"unet_lr": values.get("unet_lr", rate), "text_encoder_lr": 0}
    if given.get("network_train_text_encoder_only"):
        return {"text_encoder_lr": text or rate, **rates, "unet_lr": 0}
    return rates


def read_prompts(translation: Translation, path: Path) -> None:
    """They stand in a file of their own."""
    named = translation.take("sample_prompts")
    if named is None:
        return
    file = path_beside(path, named)
    text = read_bounded(file).decode("utf-8-sig", "replace") if file.suffix == ".txt" and is_file(file) else ""
    if not text:
        translation.drop("sample_prompts", "this text file with prompts is not here")
    translation.source = {**translation.source, "sample_prompts": text}


def length(translation: Translation) -> None:
    """Epochs go before steps."""
    steps = translation.number("max_train_steps") or kohya_gui.STEPS
    if translation.number("max_train_epochs"):
        translation.epochs("max_train_epochs", ("training", "steps"))
    else:
        translation.put(("training", "steps"), steps, "max_train_steps")
    translation.seen |= {"epoch", "lr_warmup"}
    translation.schedule("lr_scheduler", *kohya_gui.OF_SCHEDULE)
    translation.warmup("lr_warmup_steps")
