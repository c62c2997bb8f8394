"""A concept's folder: which pictures it holds, how often each is seen, and what each is called."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from ..config.run import Concept, Run
from ..errors import DarkroomError
from ..events import Prepared
from ..settings import options
from ..support.disk import is_folder, path_from_text
from . import captions
from .captions import CaptionError
from .listing import REPEATS as REPEATS
from .listing import is_hidden as is_hidden
from .listing import is_utf8, list_pictures, readable
from .pictures import EXTENSIONS, PictureError, picture_size
from .templates import TEMPLATES
from .trigger_word import find_trigger, shared_words

MOST_REPEATS = int(next(option.max or 1 for option in options(Concept) if option.name == "repeats"))

AT_ONCE = 100  # pictures looked at before anyone may stop
Result = TypeVar("Result")
NOTHING_READABLE = "None of the pictures could be read."


class FolderError(DarkroomError, ValueError):
    """A folder that cannot be trained on; the message names it and says why."""

    def __init__(self, text: str, unreadable: Sequence[Path] = ()):
        super().__init__(text)
        self.unreadable = unreadable  # its pictures, where it has some


@dataclass(frozen=True)
class Item:
    """One picture and what it may be called: one prompt, or several of which each showing takes one."""

    path: Path
    prompts: tuple[str, ...]
    repeats: int
    width: int
    height: int
    prior: bool = False  # a picture of the class, not of the subject
    class_prompt: str = ""  # what others of its kind are called

    @property
    def prompt(self) -> str:
        return self.prompts[0]


@dataclass(frozen=True)
class ConceptPictures:
    """The pictures of a concept, and what had to be left out: a sentence each."""

    items: tuple[Item, ...]
    left_out: tuple[str, ...] = ()  # by its name or its folder's
    unreadable: tuple[tuple[Path, str], ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        return *self.left_out, *(text for _, text in self.unreadable)


def find_all_pictures(run: Run) -> list[ConceptPictures]:
    """The pictures of every concept of a run. Raises FolderError."""
    return result_of(finding_all_pictures(run))


def finding_all_pictures(run: Run) -> Generator[Prepared, None, list[ConceptPictures]]:
    """The same in parts, so that someone can stop in between."""
    found = []
    for concept in run.concepts:
        found.append((yield from finding_pictures(concept, concept.word or run.output.name, run.data.template)))
    return found


def find_pictures(concept: Concept, word: str = "", template: str = "captions") -> ConceptPictures:
    """Looks through the folder and the folders in it. Raises FolderError when nothing can be trained on.

    word: what [name] stands for; template: the sentences of data/templates.py, or the concept's own prompt.
    """
    return result_of(finding_pictures(concept, word, template))


def finding_pictures(concept: Concept, word: str, template: str) -> Generator[Prepared, None, ConceptPictures]:
    root = root_of(concept)
    listing, items, unreadable = list_pictures(root), [], []
    for n, path in enumerate(listing.pictures):
        if n % AT_ONCE == 0:
            yield Prepared("Looking through the folder", n / len(listing.pictures))
        try:
            items.append(read_item(path, root, concept, word, TEMPLATES[template]))
        except (PictureError, CaptionError) as error:
            unreadable.append((path, str(error)))
    found = ConceptPictures(tuple(items), listing.left_out, tuple(unreadable))
    if not items:
        raise FolderError(f"The folder {root} holds no readable picture. Put pictures there "
                          f"({', '.join(sorted(e[1:] for e in EXTENSIONS))}).{' '.join(['', *found.problems[:1]])}",
                          [path for path, _ in unreadable])
    return replace(found, items=tuple(with_class_prompts(items, root, concept, word)))


def result_of(work: Generator[Prepared, None, Result]) -> Result:
    """What is returned when all of it is done."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value


def root_of(concept: Concept) -> Path:
    """Where a concept's pictures lie. Raises FolderError when that is not said or not there."""
    if not concept.folder:
        raise FolderError("No folder is given. Choose the folder that holds your pictures.")
    root = path_from_text(concept.folder)
    if not is_utf8(concept.folder):
        raise FolderError(f"The name of the folder {readable(concept.folder)} is not UTF-8. Rename it.")
    if not is_folder(root):
        raise FolderError(f"There is no folder {root}. Choose the folder that holds your pictures.")
    return root


def pictures_in(root: Path) -> list[Path]:
    """Every file in the folder and the folders in it that should be a picture to learn from, by name."""
    return list(list_pictures(root).pictures)


def read_item(path: Path, root: Path, concept: Concept, word: str = "", sentences: tuple[str, ...] = ()) -> Item:
    width, height = picture_size(path)
    own = caption_of(path, root)
    prompts = tuple(captions.fill_prompt(s, own, word) for s in sentences or (concept.instance_prompt,))
    return Item(path, prompts, repeats_of(path, root, concept), width, height, class_prompt=concept.class_prompt)


def repeats_of(path: Path, root: Path, concept: Concept) -> int:
    """The folder's times the concept's. Raises FolderError for more than the setting allows, as in 20240101_ghost."""
    times, called = folder_repeats(path, root)
    if times * concept.repeats > MOST_REPEATS:
        raise FolderError(f"The pictures in {path.parent.name} would count {times * concept.repeats} times, and "
                          f"{MOST_REPEATS} are the most. If its number is a date, rename it, such as 1_{called}.")
    return times * concept.repeats


def with_class_prompts(items: list[Item], root: Path, concept: Concept, word: str) -> list[Item]:
    """[filewords] in a class prompt stands for a picture's caption without the concept's word, or else without the
    rarest word that most captions share. Raises FolderError where the class would be called as the subject is."""
    if captions.FILEWORDS not in concept.class_prompt:
        return items
    own = [caption_of(item.path, root) for item in items]
    rare = concept.word or find_trigger(shared_words(own), (word,), None) or word
    made = [replace(item, class_prompt=captions.fill_prompt(concept.class_prompt, captions.without_word(rare, caption)))
            for item, caption in zip(items, own)]
    for item in made:
        if item.class_prompt in item.prompts:
            raise FolderError(f"The class prompt of {item.path.name} would be the same as its prompt: "
                              f"{item.class_prompt!r}. [filewords] in a class prompt leaves out the concept's rare "
                              "word; enter that word as 'Word', under Concepts.")
    return made


def caption_of(path: Path, root: Path) -> str:
    """What [filewords] stands for: the text beside the picture, or what its folder or its own name says."""
    return captions.caption_or_file_name(path, folder_repeats(path, root)[1])


def folder_repeats(path: Path, root: Path) -> tuple[int, str]:
    """kohya's convention: pictures in a folder "10_zwx ghost" count ten times and are called "zwx ghost"."""
    for parent in path.parents:
        if match := REPEATS.fullmatch(parent.name):
            return int(match[1]), match[2].replace("_", " ").strip()
        if parent == root:
            break
    return 1, ""
