"""kohya's dataset file: what a subset of pictures does not say, its dataset says, or the general part."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..config.run import FILEWORDS
from ..data.folder import REPEATS, is_hidden
from ..data.pictures import EXTENSIONS
from ..settings import SettingError
from ..support.disk import files_in
from .translation import Imported, Target, Translation, beside

SAME: dict[str, Target] = {
    "batch_size": ("training", "batch_size"), "enable_bucket": ("data", "buckets"), "flip_aug": ("data", "flip"),
    "shuffle_caption": ("data", "shuffle_captions"), "keep_tokens": ("data", "keep_first"),
    "caption_dropout_rate": ("data", "caption_dropout"),
}
OF_CONCEPT = {"image_dir", "num_repeats", "class_tokens", "is_reg", "caption_prefix", "caption_suffix"}
OF_RUN = {*SAME, "resolution", "random_crop"}
HARMLESS = """
    bucket_no_upscale bucket_reso_steps max_bucket_reso min_bucket_reso cache_info subsets datasets general
    resize_interpolation
"""


def translate(source: Mapping[str, Any], path: Path) -> Imported:
    subsets = [{**source.get("general", {}), **dataset, **subset}
               for dataset in source["datasets"] for subset in dataset.get("subsets", ())]
    subjects = [s for s in subsets if not s.get("is_reg")]
    if not subjects:
        raise SettingError(f"{path} has no [[datasets.subsets]] with pictures to learn.")
    translation = Translation(subjects[0])
    run_wide(translation, subsets)
    translation.values["concepts"] = [concept(Translation(s), s, path, translation.dropped) for s in subjects]
    class_pictures(translation, [s for s in subsets if s.get("is_reg")], path)
    return replace(translation.finish(path.stem), dropped=tuple(dict.fromkeys(translation.dropped)))


def run_wide(translation: Translation, subsets: list[dict[str, Any]]) -> None:
    """Settings that hold for all pictures here; the first subset's, with a line where another has its own."""
    translation.take_table(SAME)
    translation.resolution("resolution")
    if translation.take("random_crop"):
        translation.put(("data", "crop"), "random", "random_crop")
    for key in sorted(OF_RUN):
        values = {str(s.get(key)) for s in subsets if not s.get("is_reg")} - {str(translation.source.get(key))}
        if values:
            translation.drop(key, f"applies to all pictures here; other subsets have {', '.join(sorted(values))}")
    for subset in subsets:
        other = Translation(subset, seen={*OF_RUN, *OF_CONCEPT})
        if subset.get("caption_extension", ".txt") != ".txt":
            other.drop("caption_extension", "captions are read from .txt files")
        other.drop_unknown({*HARMLESS.split(), "caption_extension"})
        translation.dropped += other.dropped


def concept(translation: Translation, subset: Mapping[str, Any], path: Path, dropped: list[str]) -> dict[str, Any]:
    folder = folder_of(subset, path)
    prompt = prompt_of(translation, folder)
    around = str(subset.get("caption_prefix") or ""), str(subset.get("caption_suffix") or "")
    if REPEATS.fullmatch(folder.name):
        translation.drop("image_dir", "here the folder's name repeats its pictures, in addition to num_repeats")
    dropped += translation.dropped
    return {"folder": str(folder), "instance_prompt": prompt.join(around), "repeats": subset.get("num_repeats", 1)}


def folder_of(subset: Mapping[str, Any], path: Path) -> Path:
    """Raises SettingError for a subset without a folder."""
    if not subset.get("image_dir"):
        raise SettingError(f"{path} has a [[datasets.subsets]] without image_dir.")
    return beside(path, subset["image_dir"])


def prompt_of(translation: Translation, folder: Path) -> str:
    """Pictures without a caption file are called by the class tokens there, by their file's name here."""
    tokens = str(translation.take("class_tokens") or "")
    if not tokens:
        return FILEWORDS
    captioned = {p.with_suffix(".txt").exists() for p in files_in(folder)
                 if p.suffix.lower() in EXTENSIONS and not is_hidden(p, folder)} if folder.is_dir() else {True, False}
    if captioned == {False}:
        return tokens
    if captioned != {True}:
        translation.drop("class_tokens", "is meant for pictures without a caption; write captions for them, or make it "
                     "the instance prompt")
    return FILEWORDS


def class_pictures(translation: Translation, others: list[dict[str, Any]], path: Path) -> None:
    """Regularisation pictures: the nth folder for the nth concept, the last for those that are left."""
    for n, concept in enumerate(translation.values["concepts"] if others else ()):
        other = others[min(n, len(others) - 1)]
        concept["class_folder"] = str(folder_of(other, path))
        concept["class_prompt"] = str(other.get("class_tokens") or "")
    if others:
        translation.values["prior"] = {"preserve": True}
    if len(others) > 1:
        translation.dropped.append("is_reg: each concept has one folder of class pictures; check which belongs to "
                                   "which.")
