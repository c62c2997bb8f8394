"""The doctor: problems of a run's pictures and captions, found before it starts, each with what to do about it."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from threading import Lock

import numpy as np

from ..config.run import Concept, Run
from .buckets import bucket_of, buckets, share_kept
from .caption_problems import caption_problems
from .folder import ConceptPictures, Item, find_all_pictures, folder_repeats, root_of
from .image_features import Array, edge_width, perceptual_hash, thumbnail
from .masks import read_mask
from .pictures import PictureError, load_picture
from .problems import KINDS, Problem
from .trigger_word import Tokens

ENLARGED = 1.4  # times; a picture that has to be enlarged further is too small
# pixels; edges in sharp photographs spread over 1 to 2.1, under a Gaussian blur of 1.5 pixels over 2.8 and more
SPREAD = 2.7
LONGEST, KEPT = 3.0, 0.6  # longest side against the shorter one; least share of the picture that cropping may leave
APART = 24  # of 143 signs; copies of photographs differ in up to 12, drawings of one thing in one place in 40 and more
AT_ONCE = 4  # pictures opened at the same time; a photograph takes 100 MB meanwhile
LARGE, ONE_LARGE = 25_000_000, Lock()  # pixels of pictures that are opened one after the other


@dataclass(frozen=True)
class PictureFeatures:
    """What the checks need of one readable picture."""

    item: Item
    edges: float | None  # pixels, as edge_width gives them
    hash: Array
    mirrored_hash: Array


def find_problems(run: Run, tokens: Tokens | None = None) -> tuple[Problem, ...]:
    """Every problem of the run's concepts, those that matter most first. Reads every picture whole. Raises FolderError.

    tokens: the tokenizer of the base; without it a trigger word is judged by its spelling.
    """
    found = [
        p for concept, pictures in zip(run.concepts, find_all_pictures(run))
        for p in concept_problems(run, concept, pictures, tokens)
    ]
    return tuple(sorted(dict.fromkeys(found), key=lambda problem: list(KINDS).index(problem.kind)))


def unreadable_pictures(problems: Iterable[Problem]) -> set[Path]:
    return {problem.path for problem in problems if problem.kind == "unreadable" and problem.path}


def concept_problems(run: Run, concept: Concept, found: ConceptPictures,
                     tokens: Tokens | None = None) -> Iterator[Problem]:
    root = root_of(concept)
    yield from (Problem("left-out", None, text) for text in found.left_out)
    yield from (unreadable_problem(path, text) for path, text in found.unreadable)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        looked = list(pool.map(lambda item: read_features(item, run), found.items))
    yield from (one for one in looked if isinstance(one, Problem))
    seen = [one for one in looked if isinstance(one, PictureFeatures)]
    for one in seen:
        yield from picture_problems(one, run)
    copies = list(duplicate_problems(seen, run.data.flip))
    yield from copies
    named = sorted((folder_repeats(one.item.path, root), one.item.path, one.item) for one in seen)
    copied = {problem.path for problem in copies}
    for (_, called), group in groupby(named, key=lambda entry: entry[0]):  # kohya's folders are each about one thing
        yield from caption_problems([item for *_, item in group], called, copied, run, concept, tokens)


def unreadable_problem(path: Path, text: str) -> Problem:
    return Problem("unreadable", path, f"{text} Save it again, or remove it from the folder.")


def read_features(item: Item, run: Run) -> PictureFeatures | Problem:
    with ONE_LARGE if item.width * item.height > LARGE else nullcontext():
        try:
            image = load_picture(item.path, 2 * run.data.resolution)
            if run.data.masked:
                read_mask(item.path)
        except PictureError as error:
            return unreadable_problem(item.path, str(error))
        small = thumbnail(image)
        width = edge_width(image, size_of(item, run))
    return PictureFeatures(item, width, perceptual_hash(small), perceptual_hash(small[:, ::-1]))


def size_of(item: Item, run: Run) -> tuple[int, int]:
    return bucket_of(item.width, item.height, buckets(run.data.resolution, run.data.buckets))


def picture_problems(one: PictureFeatures, run: Run) -> Iterator[Problem]:
    item, (wide, high) = one.item, size_of(one.item, run)
    name, larger = item.path.name, max(wide / item.width, high / item.height)
    if larger > ENLARGED:
        yield Problem("tiny", item.path, f"{name} has {item.width}×{item.height} pixels and would be enlarged "
                      f"{larger:.1f} times to {wide}×{high}; use a larger original, or remove it.")
    if one.edges is not None and one.edges > SPREAD:
        yield Problem(
            "blurred", item.path, f"{name} is blurred everywhere; use a sharper picture or remove it, because "
            "the blur is learned too.")
    kept = share_kept(item.width, item.height, (wide, high))
    sides = max(item.width, item.height) / min(item.width, item.height)
    if sides > LONGEST or kept < KEPT:
        yield Problem("shape", item.path, f"{name} is {sides:.1f} times as long as it is wide, and would be trained at "
                      f"{wide}×{high} with {100 * (1 - kept):.0f} % cropped; crop it to what matters.")


def duplicate_problems(seen: Sequence[PictureFeatures], flip: bool) -> Iterator[Problem]:
    """Every picture that is a copy of an earlier one, mirrored copies too: they count twice whether mirroring is on
    or off.
    """
    hashes = np.array([one.hash for one in seen])
    for n, one in enumerate(seen):
        straight, mirrored = hash_distances(one.hash, hashes[:n]), hash_distances(one.mirrored_hash, hashes[:n])
        alike = np.flatnonzero(np.minimum(straight, mirrored) <= APART)
        if len(alike):
            first, other = alike[0], seen[alike[0]].item
            text = duplicate_text(one.item, other, bool(mirrored[first] < straight[first]), flip)
            yield Problem("duplicate", one.item.path, text, other.path)


def hash_distances(one: Array, others: Array) -> Array:
    """(n,): in how many signs a hash differs from each of the others (n, 144)."""
    return (others != one).sum(axis=1)


def duplicate_text(item: Item, other: Item, mirrored: bool, flip: bool) -> str:
    name, of = item.path.name, other.path.name
    if mirrored and flip:
        return f"{name} is {of} mirrored, and Mirror uses every picture mirrored anyway; remove one of them."
    if mirrored:
        return f"{name} is {of} mirrored, so this picture counts twice; remove one of them, or turn Mirror on."
    return (f"{name} shows the same as {of}, so this picture counts twice; remove one of them, or raise the repeats of "
            "all.")
