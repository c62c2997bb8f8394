"""Class pictures: what the checkpoint draws for a class prompt, trained beside the subject so that it is not forgotten.

Prior preservation of Ruiz et al., 2023, arXiv:2208.12242.
"""

import re
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

from ..config.run import Concept, Run
from ..data.captions import FILEWORDS, fill_prompt
from ..data.folder import ConceptPictures, FolderError, Item, caption_of, pictures_in
from ..data.pictures import PictureError, picture_size
from ..events import Prepared, Warned
from ..host import Checkpoint, Host, Picture, drawable_side
from ..settings import SettingError
from ..support.disk import is_folder, path_from_text, replacing
from ..support.seeds import seed_from

FOLDER, BATCH = "class pictures", 4
MAX_PROMPT_IN_NAME = 60  # characters of a prompt in a folder's name


def class_picture_folder(run: Run, class_prompt: str, checkpoint: Checkpoint, host: Host) -> Path:
    """Where the pictures of this checkpoint, prompt and size are."""
    words = re.sub(r"[^\w]+", "-", class_prompt).strip("-")
    if len(words) > MAX_PROMPT_IN_NAME:
        words = f"{words[:MAX_PROMPT_IN_NAME]}-{seed_from(class_prompt):016x}"
    drawn_by = f"{checkpoint.path.stem}-{checkpoint.sha256[:8]}"
    how = f"{run.data.resolution}-{run.prior.cfg:g}-{run.prior.drawing_steps}-{run.data.clip_skip}"
    return host.folders.workspaces / FOLDER / drawn_by / f"{words}-{how}"


def prepare_class_pictures(run: Run, found: Sequence[ConceptPictures], checkpoint: Checkpoint,
                           host: Host) -> Iterator[Prepared | Warned | list[Item]]:
    """Draws what is missing and yields its progress; last come the items of all concepts.

    Raises SettingError, FolderError.
    """
    items: list[Item] = []
    for concept, own in zip(run.concepts, found) if run.prior.preserve else ():
        if not concept.class_prompt:
            raise SettingError("Class pictures are on, but a concept has no class prompt. Say what things of its kind "
                               "are called, such as 'a ghost', or switch class pictures off.")
        if concept.class_folder:
            with_prompts = own_class_pictures(concept)
        else:
            with_prompts = yield from draw_class_pictures(run, own, checkpoint, host)
        for path, text in with_prompts:
            try:
                items.append(Item(path, (text,), 1, *picture_size(path), prior=True))
            except PictureError as error:
                yield Warned(f"Skipped: {error}")
    yield items


def own_class_pictures(concept: Concept) -> list[tuple[Path, str]]:
    """A person's own class pictures and the prompt of each. Raises FolderError."""
    folder = path_from_text(concept.class_folder)
    if not (paths := pictures_in(folder) if is_folder(folder) else []):
        raise FolderError(f"The folder of class pictures {folder} contains no picture. Choose another, or leave it "
                          "empty.")
    captioned = FILEWORDS in concept.class_prompt
    return [(path, fill_prompt(concept.class_prompt, caption_of(path, folder)) if captioned else concept.class_prompt)
            for path in paths]


def draw_class_pictures(run: Run, found: ConceptPictures, checkpoint: Checkpoint,
         host: Host) -> Generator[Prepared, None, list[tuple[Path, str]]]:
    """The checkpoint's pictures, divided evenly among the class prompts, and the prompt of each."""
    prompts = sorted({item.class_prompt for item in found.items})
    shares = [run.prior.pictures // len(prompts) + (n < run.prior.pictures % len(prompts)) for n in range(len(prompts))]
    with_prompts = []
    for text, count in zip(prompts, shares):
        folder = class_picture_folder(run, text, checkpoint, host)
        yield from draw_missing(run, text, folder, count, host)
        with_prompts += [(folder / picture_name(n), text) for n in range(count)]
    return with_prompts


def picture_name(number: int) -> str:
    return f"{number:05d}.png"


def draw_missing(run: Run, text: str, folder: Path, count: int, host: Host) -> Iterator[Prepared]:
    """Draws the pictures that are missing; a picture's number is its seed."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [n for n in range(count) if not (folder / picture_name(n)).exists()]
    edge = drawable_side(run.data.resolution)
    for start in range(0, len(missing), BATCH):
        yield Prepared(f"Drawing class pictures, {len(missing) - start} left", start / len(missing))
        numbers = missing[start:start + BATCH]
        pictures = [Picture(text, steps=run.prior.drawing_steps, cfg=run.prior.cfg, width=edge, height=edge, seed=n,
                          clip_skip=run.data.clip_skip) for n in numbers]
        for n, image in zip(numbers, host.draw(pictures)):
            with replacing(folder / picture_name(n)) as part:
                image.save(part, "PNG")
