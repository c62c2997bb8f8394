"""Settings of other trainers, read as a run's, with a line for each that was dropped."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..config.paths import with_absolute_paths
from ..config.run import from_dict
from ..settings import SettingError, brief
from ..support import toml
from ..support.disk import is_folder, path_from_text, read_bounded
from ..support.json_text import parse_json
from . import dreambooth_extension, kohya_dataset, kohya_folders, kohya_gui, kohya_training
from .translation import Imported


def translate_own(source: Mapping[str, Any], path: Path) -> Imported:
    """A run of Darkroom's own, as its page and its workspaces write it."""
    run = from_dict(source)
    return Imported(with_absolute_paths(source, path), run.output.name or path.stem, ())


Translate = Callable[[Mapping[str, Any], Path], Imported]
TRAINING = "sd-scripts' settings"
FORMATS: dict[str, tuple[str, Translate]] = {  # by what each alone has
    "datasets": ("kohya's dataset file", kohya_dataset.translate),
    "concepts_list": ("sd_dreambooth_extension's db_config.json", dreambooth_extension.translate),
    "train_batch_size": ("kohya_ss' settings", kohya_gui.translate),
    "output": ("Darkroom's own", translate_own),
}


OF_FOLDER = ("db_config.json", "run.toml")  # the settings that a folder of a trainer's holds


def read_settings(path: Path) -> Imported:
    """What a file of settings, or a folder, says. Raises SettingError when it cannot be read or is of no known kind."""
    path = path_from_text(str(path))
    if is_folder(path):
        inside = next((path / name for name in OF_FOLDER if (path / name).exists()), None)
        return read_settings(inside) if inside else kohya_folders.translate(path)
    source = toml.read_toml(path) if path.suffix.lower() == ".toml" else read_json(path)
    if kohya_training.recognizes(source, path):
        return translate(source, path, TRAINING, kohya_training.translate)
    for key, (kind, translated) in FORMATS.items():
        if isinstance(source, Mapping) and key in source:
            return translate(source, path, kind, translated)
    kinds = ", ".join([*(kind for kind, _ in FORMATS.values()), TRAINING])
    raise SettingError(f"{path} is none of these: {kinds}.")


def translate(source: Mapping[str, Any], path: Path, kind: str, translated: Callable[..., Imported]) -> Imported:
    try:
        return translated(source, path)
    except SettingError:
        raise
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:  # a file may hold anything
        raise SettingError(f"{path} looks like {kind}, but its content does not match: {brief(str(error))}.") from error


def read_json(path: Path) -> Any:
    try:
        return parse_json(read_bounded(path).decode("utf-8-sig"))
    except FileNotFoundError:
        raise SettingError(f"There is no file {path}.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise SettingError(f"{path} is not a readable file of settings: {error}.") from None
