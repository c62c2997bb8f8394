"""The doctor: problems of a run's pictures and captions, found before it starts, each with what to do about it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from ..config.run import Concept, Run
from .buckets import bucket_of, buckets, share_kept
from .captions import FILEWORDS, read_caption
from .folder import ConceptPictures, Item, find_all_pictures, folder_repeats, pictures_in, root_of
from .image_features import Array, edge_width, perceptual_hash, thumbnail
from .masks import read_mask
from .pictures import PictureError, load_picture
from .templates import TEMPLATES
from .trigger_word import Tokens, find_trigger, is_known, shared_words, words

KINDS = {  # in the order in which they matter
    "unreadable": "Cannot be read", "tiny": "Too small", "blurred": "Blurred", "duplicate": "Nearly the same picture "
                                                                                            "twice",
    "shape": "Very long or very wide", "missing-caption": "Without a caption", "same-caption": "The same caption twice",
    "trigger-absent": "Without the trigger word", "trigger-known": "No rare trigger word"}
ENLARGED = 1.4  # times; a picture that has to be enlarged further is too small
# pixels; edges in sharp photographs spread over 1 to 2.1, under a Gaussian blur of 1.5 pixels over 2.8 and more
SPREAD = 2.7
LONGEST, KEPT = 3.0, 0.6  # longest side against the shorter one; least share of the picture that cropping may leave
APART = 24  # of 143 signs; copies of photographs differ in up to 12, drawings of one thing in one place in 40 and more
# said again when training starts
SERIOUS = ("unreadable", "tiny", "missing-caption", "trigger-absent", "trigger-known")
AT_ONCE = 4  # pictures opened at the same time; a photograph takes 100 MB meanwhile
FEW = 3  # pictures from which on one can stand out


@dataclass(frozen=True)
class Problem:
    """What is wrong, with which picture (None: with the concept), and a sentence that says it and what to do."""

    kind: str  # a key of KINDS
    path: Path | None
    text: str
    beside: Path | None = None  # the other picture, where there are two


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


def concept_problems(run: Run, concept: Concept, found: ConceptPictures,
                     tokens: Tokens | None = None) -> Iterator[Problem]:
    root = root_of(concept)
    items = {item.path: item for item in found.items}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        looked = list(pool.map(lambda path: read_features(path, items, run), pictures_in(root)))
    yield from (one for one in looked if isinstance(one, Problem))
    seen = [one for one in looked if isinstance(one, PictureFeatures)]
    for one in seen:
        yield from picture_problems(one, run)
    copies = list(duplicate_problems(seen, run.data.flip))
    yield from copies
    named = sorted((folder_repeats(one.item.path, root), one.item.path, one.item) for one in seen)
    for _, group in groupby(named, key=lambda entry: entry[0]):  # kohya's folders are each about a thing of their own
        yield from caption_problems([item for *_, item in group], {p.path
                                                                   for p in copies
                                                                   if p.path}, run, concept, tokens)


def read_features(path: Path, items: dict[Path, Item], run: Run) -> PictureFeatures | Problem:
    try:
        image = load_picture(path, 2 * run.data.resolution)
        if run.data.masked:
            read_mask(path)
    except PictureError as error:
        return Problem("unreadable", path, f"{error} Save it again, or remove it from the folder.")
    small = thumbnail(image)
    width = edge_width(image, size_of(items[path], run))
    return PictureFeatures(items[path], width, perceptual_hash(small), perceptual_hash(small[:, ::-1]))


def size_of(item: Item, run: Run) -> tuple[int, int]:
    return bucket_of(item.width, item.height, buckets(run.data.resolution, run.data.buckets))


# ---- one picture


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


# ---- captions


def caption_problems(items: list[Item], copies: set[Path], run: Run, concept: Concept,
                     tokens: Tokens | None) -> Iterator[Problem]:
    """Problems of what pictures of one thing are called. copies: pictures already named as copies of others."""
    sentences = TEMPLATES[run.data.template] or (concept.instance_prompt or FILEWORDS,)
    own = {item.path: read_caption(item.path) or "" for item in items} if any(FILEWORDS in s for s in sentences) else {}
    told = [item for item in items if own.get(item.path)]
    if told:
        yield from missing_caption_problems([item for item in items if not own[item.path]], told)
        yield from same_caption_problems([item for item in told if item.path not in copies], own)
    shared = shared_words([" ".join(item.prompts) for item in told or items],
                          " ".join({item.class_prompt for item in items}))
    yield from missing_trigger_problems(told or items, find_trigger(shared, (concept.word, run.output.name), tokens))
    if not run.method.product.learns_words:  # there the word gets a meaning of its own
        yield from known_trigger_problems(shared, len(told or items), tokens)


def missing_caption_problems(missing: list[Item], told: list[Item]) -> Iterator[Problem]:
    if len(missing) > len(told):
        yield Problem("missing-caption", None, f"Only {len(told)} of {len(told) + len(missing)} pictures have a "
                      f"caption; write captions for the others, or remove {FILEWORDS} from the instance prompt.")
        return
    for item in missing:
        called = f"be trained with the prompt '{item.prompt}'" if item.prompt else "be trained without a prompt"
        yield Problem("missing-caption", item.path, f"{item.path.name} has no caption and would {called}; write one in "
                      f"{item.path.stem}.txt.")


def same_caption_problems(told: list[Item], own: dict[Path, str]) -> Iterator[Problem]:
    """Pictures called like another one, where most have a caption of their own."""
    counts = Counter(own[item.path] for item in told)
    if 2 * sum(n == 1 for n in counts.values()) <= len(told):
        return
    first: dict[str, Item] = {}
    for item in told:
        other = first.setdefault(own[item.path], item)
        if other is not item:
            yield Problem("same-caption", item.path, f"{item.path.name} has the same caption as {other.path.name}, "
                                                     f"'{own[item.path]}', though most have their own; say what is "
                                                     "different.",
                          other.path)


def missing_trigger_problems(items: list[Item], word: str | None) -> Iterator[Problem]:
    if word is None or len(items) < FEW:
        return
    for item in items:
        if not any(word in words(prompt) for prompt in item.prompts):
            yield Problem(
                "trigger-absent", item.path, f"The prompt of {item.path.name} is '{item.prompt}', without the "
                f"word '{word}' that most others have; add it to {item.path.stem}.txt.")


def known_trigger_problems(shared: Counter[str], prompts: int, tokens: Tokens | None) -> Iterator[Problem]:
    everywhere = sorted(word for word, n in shared.items() if n == prompts)
    if everywhere and all(is_known(word, tokens) for word in shared):
        called = " and ".join(f"'{word}'" for word in everywhere)
        yield Problem("trigger-known", None, f"Every prompt contains {called}, which the checkpoint knows already, but "
                      "no rare word, so old and new meaning mix; add a word that means nothing yet, such as 'zwx'.")
