"""kohya's dataset file: what a subset of pictures does not say, its dataset says, or the general part."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..config.run import FILEWORDS
from ..data.folder import REPEATS, hidden
from ..data.pictures import EXTENSIONS
from ..settings import SettingError
from ..support.disk import files_in
from .reading import Imported, Reading, Target, beside

SAME: dict[str, Target] = {
    "batch_size": ("training", "batch_size"), "enable_bucket": ("data", "buckets"), "flip_aug": ("data", "flip"),
    "shuffle_caption": ("data", "shuffle_captions"), "keep_tokens": ("data", "keep_first"),
    "caption_dropout_rate": ("data", "caption_dropout"),
}
OF_CONCEPT = {"image_dir", "num_repeats", "class_tokens", "is_reg", "caption_prefix", "caption_suffix"}
OF_RUN = {*SAME, "resolution", "random_crop"}
HARMLESS = """
    bucket_no_upscale bucket_reso_steps max_bucket_reso min_bucket_reso cache_info subsets datasets general resize_interpolation
"""


def translated(source: Mapping[str, Any], path: Path) -> Imported:
    subsets = [{**source.get("general", {}), **dataset, **subset}
               for dataset in source["datasets"] for subset in dataset.get("subsets", ())]
    subjects = [s for s in subsets if not s.get("is_reg")]
    if not subjects:
        raise SettingError(f"{path} has no [[datasets.subsets]] with pictures to learn.")
    reading = Reading(subjects[0])
    run_wide(reading, subsets)
    reading.values["concepts"] = [concept(Reading(s), s, path, reading.lost) for s in subjects]
    class_pictures(reading, [s for s in subsets if s.get("is_reg")], path)
    return replace(reading.imported(path.stem), lost=tuple(dict.fromkeys(reading.lost)))


def run_wide(reading: Reading, subsets: list[dict[str, Any]]) -> None:
    """Settings that hold for all pictures here; the first subset's, with a line where another has its own."""
    reading.table(SAME)
    reading.resolution("resolution")
    if reading.take("random_crop"):
        reading.put(("data", "crop"), "random", "random_crop")
    for key in sorted(OF_RUN):
        values = {str(s.get(key)) for s in subsets if not s.get("is_reg")} - {str(reading.source.get(key))}
        if values:
            reading.lose(key, f"holds for all pictures here; other subsets have {', '.join(sorted(values))}")
    for subset in subsets:
        other = Reading(subset, seen={*OF_RUN, *OF_CONCEPT})
        if subset.get("caption_extension", ".txt") != ".txt":
            other.lose("caption_extension", "captions are read from .txt files")
        other.rest({*HARMLESS.split(), "caption_extension"})
        reading.lost += other.lost


def concept(reading: Reading, subset: Mapping[str, Any], path: Path, lost: list[str]) -> dict[str, Any]:
    folder = folder_of(subset, path)
    prompt = prompt_of(reading, folder)
    around = str(subset.get("caption_prefix") or ""), str(subset.get("caption_suffix") or "")
    if REPEATS.fullmatch(folder.name):
        reading.lose("image_dir", "its name counts its pictures here, beside num_repeats")
    lost += reading.lost
    return {"folder": str(folder), "instance_prompt": prompt.join(around), "repeats": subset.get("num_repeats", 1)}


def folder_of(subset: Mapping[str, Any], path: Path) -> Path:
    """Raises SettingError for a subset without a folder."""
    if not subset.get("image_dir"):
        raise SettingError(f"{path} has a [[datasets.subsets]] without image_dir.")
    return beside(path, subset["image_dir"])


def prompt_of(reading: Reading, folder: Path) -> str:
    """Pictures without a caption file are called by the class tokens there, by their file's name here."""
    tokens = str(reading.take("class_tokens") or "")
    if not tokens:
        return FILEWORDS
    captioned = {p.with_suffix(".txt").exists() for p in files_in(folder)
                 if p.suffix.lower() in EXTENSIONS and not hidden(p, folder)} if folder.is_dir() else {True, False}
    if captioned == {False}:
        return tokens
    if captioned != {True}:
        reading.lose("class_tokens", "is meant for pictures without a caption; write them captions, or make it the instance prompt")
    return FILEWORDS


def class_pictures(reading: Reading, others: list[dict[str, Any]], path: Path) -> None:
    """Regularisation pictures: the nth folder for the nth concept, the last for those that are left."""
    for n, concept in enumerate(reading.values["concepts"] if others else ()):
        other = others[min(n, len(others) - 1)]
        concept["class_folder"] = str(folder_of(other, path))
        concept["class_prompt"] = str(other.get("class_tokens") or "")
    if others:
        reading.values["prior"] = {"preserve": True}
    if len(others) > 1:
        reading.lost.append("is_reg: each concept has one folder of class pictures; look through which belongs to which.")
