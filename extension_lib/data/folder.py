"""A concept's folder: which pictures it holds, how often each is seen, and what each is called."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from ..config.run import Concept, Run
from ..errors import DarkroomError
from ..support.disk import files_in, is_folder, path_from_text
from . import captions
from .masks import is_mask
from .pictures import EXTENSIONS, PictureError, picture_size
from .templates import TEMPLATES
from .trigger_word import find_trigger, shared_words

REPEATS = re.compile(r"(\d+)_(.+)")


class FolderError(DarkroomError, ValueError):
    """A folder that cannot be trained on; the message names it and says why."""


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
    """The pictures of a concept, and a line for each file that had to be left out."""

    items: tuple[Item, ...]
    problems: tuple[str, ...]


def find_all_pictures(run: Run) -> list[ConceptPictures]:
    """The pictures of every concept of a run. Raises FolderError."""
    return [find_pictures(concept, concept.word or run.output.name, run.data.template) for concept in run.concepts]


def find_pictures(concept: Concept, word: str = "", template: str = "captions") -> ConceptPictures:
    """Looks through the folder and the folders in it. Raises FolderError when nothing can be trained on.

    word: what [name] stands for; template: the sentences of data/templates.py, or the concept's own prompt.
    """
    root = root_of(concept)
    items, problems = [], []
    for path in pictures_in(root):
        try:
            items.append(read_item(path, root, concept, word, TEMPLATES[template]))
        except PictureError as error:
            problems.append(str(error))
    if not items:
        raise FolderError(f"The folder {root} holds no readable picture. Put pictures there "
                          f"({', '.join(sorted(e[1:] for e in EXTENSIONS))}).{' '.join(['', *problems[:1]])}")
    return ConceptPictures(tuple(with_class_prompts(items, root, concept, word)), tuple(problems))


def root_of(concept: Concept) -> Path:
    """Where a concept's pictures lie. Raises FolderError when that is not said or not there."""
    if not concept.folder:
        raise FolderError("No folder is given. Choose the folder that holds your pictures.")
    root = path_from_text(concept.folder)
    if not is_folder(root):
        raise FolderError(f"There is no folder {root}. Choose the folder that holds your pictures.")
    return root


def pictures_in(root: Path) -> list[Path]:
    """Every file in the folder and the folders in it that should be a picture to learn from, by name."""
    paths = [p for p in files_in(root) if p.suffix.lower() in EXTENSIONS and not is_hidden(p, root) and p.is_file()]
    stems = {p.stem for p in paths}
    return [p for p in paths if not is_mask(p, stems)]


def is_hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def read_item(path: Path, root: Path, concept: Concept, word: str = "", sentences: tuple[str, ...] = ()) -> Item:
    width, height = picture_size(path)
    times, own = folder_repeats(path, root)[0], caption_of(path, root)
    prompts = tuple(captions.fill_prompt(s, own, word) for s in sentences or (concept.instance_prompt,))
    return Item(path, prompts, times * concept.repeats, width, height, class_prompt=concept.class_prompt)


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
            return max(1, int(match[1])), match[2].replace("_", " ").strip()
        if parent == root:
            break
    return 1, ""
