"""The values that a run starts with: from the method, the purpose, the checkpoint, the graphics card, a preset."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..families.kind import CheckpointKind
from ..families.prediction import CHOICES
from ..host import Checkpoint, Host, HostError, find_checkpoint
from ..settings import SettingError, options
from ..support import toml
from ..support.disk import checked_file_name, matching, save_errors
from .purposes import GPUS, PURPOSES, apply_profile, profile_settings, settings_decided_by
from .run import Base, Run, from_dict, merge_values, method_class, to_dict

DELETED = "deleted"  # folder of deleted presets
# What belongs to one workspace alone: no preset holds it, and the way back to the defaults leaves it.
WORKSPACE_ONLY = {"output", "base", "concepts"}, {("previews", "prompts")}


def defaults(method: str, preset: Path | None = None, purpose: str = "", gpu: str = "",
             kind: CheckpointKind | None = None) -> Run:
    """The run a person starts from. preset: a checkpoint's TOML file of sections, and of [methods.NAME.SECTION] for one
    method only. It overrides what suits the kind of checkpoint, that the purpose, and the graphics card overrides all.

    Raises SettingError for a preset that names what does not exist.
    """
    values: dict[str, Any] = merge_values({"method": {"name": method}}, method_class(method).prefers)
    values = apply_profile(values, profile_settings(PURPOSES, purpose), method)
    for layer in kind.defaults if kind else ():
        values = apply_profile(values, where_known(layer, method), method)
    values = apply_profile(values, toml.read_toml(preset) if preset else {}, method, preset)
    values = apply_profile(values, profile_settings(GPUS, gpu), method)
    return from_dict(apply_profile(values, dict(kind.family.gpus.get(gpu, {})) if kind else {}, method))


def where_known(layer: Mapping[str, Mapping[str, object]], method: str) -> dict[str, Any]:
    """What a family says of the settings of all methods, such as a rate, holds for those that have it."""
    own = {option.name for option in options(method_class(method))}
    return {**layer, "method": {name: value for name, value in layer.get("method", {}).items() if name in own}}


def suitable(host: Host, method: str, base: Base, purpose: str = "") -> Run:
    """The run that suits a checkpoint; the method's own where the host does not have it. Raises SettingError."""
    preset, kind = about_checkpoint(host, base)
    return defaults(method, preset, purpose, kind=kind)


def about_checkpoint(host: Host, base: Base) -> tuple[Path | None, CheckpointKind | None]:
    """The preset of a run's checkpoint and what it is; neither where the host does not have it."""
    try:
        checkpoint = checkpoint_of(base, host)
    except HostError:
        return None, None
    return checkpoint.preset, host.kind(checkpoint)


def checkpoint_of(base: Base, host: Host) -> Checkpoint:
    """A run's checkpoint, with what it predicts where a person chose that. Raises HostError."""
    return replace(find_checkpoint(host, base.checkpoint), prediction=CHOICES[base.prediction])


def drawing_run(host: Host) -> Run:
    """The run whose resolution and CFG scale suit the checkpoint that is loaded now."""
    current = host.current()
    try:
        return defaults("lora", current.preset, kind=host.kind(current)) if current else defaults("lora")
    except SettingError:
        return defaults("lora")


def is_workspace_only(section: str, name: str) -> bool:
    sections, settings = WORKSPACE_ONLY
    return section in sections or (section, name) in settings


def with_purpose(run: Run, purpose: str, preset: Path | None = None, kind: CheckpointKind | None = None) -> Run:
    """The run with all that purposes decide set for this one; the rest stays. Raises SettingError."""
    return with_settings_of(run, defaults(run.method.name, preset, purpose, kind=kind),
                            settings_decided_by(PURPOSES, run.method.name))


def with_gpu(run: Run, gpu: str, preset: Path | None = None, purpose: str = "",
             kind: CheckpointKind | None = None) -> Run:
    """The run with all that graphics cards decide set for this one; the rest stays. Raises SettingError."""
    return with_settings_of(run, defaults(run.method.name, preset, purpose, gpu, kind),
                            settings_decided_by(GPUS, run.method.name))


def with_workspace_settings(run: Run, start: Run) -> Run:
    """start, the run of another method, with the settings of this run that belong to the workspace."""
    sections, settings = WORKSPACE_ONLY
    values = to_dict(run)
    own: dict[str, Any] = {section: values[section] for section in sections}
    for section, name in settings:
        own.setdefault(section, {})[name] = values[section][name]
    return start.with_values(own)


def with_new_start(run: Run, before: Run, after: Run) -> Run:
    """The run with the values of another start, where it still has those of the start before."""
    old, new = to_dict(before), to_dict(after)
    kept = {section: values for section, values in to_dict(run).items() if not is_workspace_only(section, "")}
    return run.with_values({section: {name: new[section][name] for name, value in values.items()
                                      if name in new[section] and value == old[section].get(name)
                                      and not is_workspace_only(section, name)}
                            for section, values in kept.items()})


def with_settings_of(run: Run, other: Run, keys: Iterable[tuple[str, str]]) -> Run:
    """The run with these settings (section, name) taken from the other; both have the same method."""
    changes: dict[str, dict[str, Any]] = {}
    for section, name in keys:
        changes.setdefault(section, {})[name] = getattr(getattr(other, section), name)
    return run.with_values(changes)


def save_preset(folder: Path, name: str, run: Run) -> Path:
    """Saves the run's settings, except those that belong to a workspace. Raises NameProblem, SaveError."""
    path = preset_path(folder, name)
    toml.write_toml(path, {section: {k: v for k, v in values.items() if not is_workspace_only(section, k)}
                           for section, values in to_dict(run).items() if not is_workspace_only(section, "")})
    return path


def preset_path(folder: Path, name: str) -> Path:
    return folder / (checked_file_name(name, "preset's name") + ".toml")


def saved_presets(folder: Path) -> list[str]:
    """The names of the presets that a person has saved."""
    return sorted((path.stem for path in matching(folder, "*.toml")), key=str.lower)


def delete_preset(folder: Path, name: str) -> Path:
    """Moves a saved preset to the folder of deleted presets; returns its new path.

    Raises NameProblem, SettingError, SaveError.
    """
    path = preset_path(folder, name)
    if not path.exists():
        raise SettingError(f"The preset {name} no longer exists.")
    aside = folder / DELETED / path.name
    with save_errors(aside):
        aside.parent.mkdir(exist_ok=True)
        path.replace(aside)
    return aside


def with_saved_preset(run: Run, folder: Path, name: str) -> Run:
    """The run with a saved preset's settings; name, checkpoint and concepts stay. Raises SettingError, NameProblem."""
    values = toml.read_toml(preset_path(folder, name))
    foreign = sorted(section for section in values if is_workspace_only(section, ""))
    if foreign:
        raise SettingError(
            f"The preset {name} has [{foreign[0]}], which belongs to a workspace. Import it in the Model "
            "tab.")
    return run.with_values(values)
