"""kohya's dataset file: what a subset of pictures does not say, its dataset says, or the general part."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..config.paths import path_beside
from ..config.run import FILEWORDS, Concept
from ..data.beside import file_beside
from ..data.captions import ENDINGS
from ..data.listing import REPEATS, list_pictures
from ..settings import SettingError
from ..support.disk import is_folder
from .translation import WITHOUT_CLASS_PROMPT, Imported, Target, Translation, with_defaults

DEFAULTS = {  # there, and without other arguments
    "batch_size": 1, "enable_bucket": False, "flip_aug": False, "shuffle_caption": False, "keep_tokens": 0,
    "caption_dropout_rate": 0.0, "caption_tag_dropout_rate": 0.0, "alpha_mask": False, "random_crop": False,
    "num_repeats": 1, "caption_extension": ".caption"
}
SAME: dict[str, Target] = {
    "batch_size": ("training", "batch_size"), "enable_bucket": ("data", "buckets"), "flip_aug": ("data", "flip"),
    "shuffle_caption": ("data", "shuffle_captions"), "keep_tokens": ("data", "keep_first"),
    "caption_dropout_rate": ("data", "caption_dropout"), "caption_tag_dropout_rate": ("data", "tag_dropout"),
    "alpha_mask": ("data", "masked"),
}
OF_CONCEPT = {
    "image_dir", "num_repeats", "class_tokens", "is_reg", "caption_prefix", "caption_suffix", "caption_extension"
}
OF_RUN = {*SAME, "resolution", "random_crop"}
HARMLESS = """
    bucket_no_upscale bucket_reso_steps max_bucket_reso min_bucket_reso cache_info subsets datasets general
    resize_interpolation
"""


def translate(source: Mapping[str, Any], path: Path, arguments: Mapping[str, Any] = {}) -> Imported:  # noqa: B006
    """arguments: what the training's own settings say, which hold where this file says nothing."""
    subsets = [with_defaults({**source.get("general", {}), **dataset, **subset}, {**DEFAULTS, **arguments})
               for dataset in source["datasets"] for subset in dataset.get("subsets", ())]
    subjects = [s for s in subsets if not s.get("is_reg") and s["num_repeats"] != 0]  # as often as that: left out there
    if not subjects:
        raise SettingError(f"{path} has no [[datasets.subsets]] with pictures to learn.")
    translation = Translation(subjects[0])
    run_wide(translation, subsets)
    translation.values["concepts"] = [concept(Translation(s), path, translation.dropped) for s in subjects]
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
        other.drop_unknown(HARMLESS.split())
        translation.dropped += other.dropped


def concept(translation: Translation, path: Path, dropped: list[str]) -> dict[str, Any]:
    subset = translation.source
    folder = folder_of(subset, path)
    prompt = prompt_of(translation, folder)
    around = str(subset.get("caption_prefix") or ""), str(subset.get("caption_suffix") or "")
    repeats = translation.checked(Concept, "repeats", subset["num_repeats"], "num_repeats")
    if REPEATS.fullmatch(folder.name):
        translation.drop("image_dir", "here the folder's name repeats its pictures, in addition to num_repeats")
    dropped += translation.dropped
    return {"folder": str(folder), "instance_prompt": prompt.join(around), "repeats": repeats or 1}


def folder_of(subset: Mapping[str, Any], path: Path) -> Path:
    """Raises SettingError for a subset without a folder."""
    if not subset.get("image_dir"):
        raise SettingError(f"{path} has a [[datasets.subsets]] without image_dir.")
    return path_beside(path, subset["image_dir"])


def prompt_of(translation: Translation, folder: Path) -> str:
    """Pictures without a caption file are called by the class tokens there, by their file's name here."""
    captioned = name_other_captions(translation, folder)
    tokens = str(translation.take("class_tokens") or "")
    if not tokens:
        return FILEWORDS
    if captioned == {False}:
        return tokens
    if captioned != {True}:
        translation.drop("class_tokens", "is meant for pictures without a caption; write captions for them, or make it "
                         "the instance prompt")
    return FILEWORDS


def name_other_captions(translation: Translation, folder: Path) -> set[bool]:
    """Whether pictures have a caption there: of some it is true, of some false. Names captions that are read only here
    or only there.
    """
    wanted = str(translation.take("caption_extension") or DEFAULTS["caption_extension"])
    if wanted.lower() not in ENDINGS:
        translation.drop("caption_extension", f"captions are read from {', '.join(ENDINGS)} files")
        return {False}
    if not is_folder(folder):
        return {True, False}
    pictures = list_pictures(folder).pictures
    captioned = {file_beside(p, (wanted,)) is not None for p in pictures}
    found = sorted({caption.suffix for p in pictures if (caption := file_beside(p, ENDINGS))})
    if captioned == {False} and found:
        translation.drop("caption_extension", f"there the {' and '.join(found)} files beside the pictures are not "
                         "read; [filewords] in a prompt reads them here")
    return captioned


def class_pictures(translation: Translation, others: list[dict[str, Any]], path: Path) -> None:
    """Regularisation pictures: the nth folder for the nth concept, the last for those that are left."""
    if not others:
        return
    for n, concept in enumerate(translation.values["concepts"]):
        other = others[min(n, len(others) - 1)]
        concept["class_folder"] = str(folder_of(other, path))
        concept["class_prompt"] = str(other.get("class_tokens") or "")
    if all(concept["class_prompt"] for concept in translation.values["concepts"]):
        translation.values["prior"] = {"preserve": True}
    else:
        translation.dropped.append(f"is_reg: {WITHOUT_CLASS_PROMPT}")
    if len(others) > 1:
        translation.dropped.append("is_reg: each concept has one folder of class pictures; check which belongs to "
                                   "which.")
