"""Class pictures: what the checkpoint draws for a concept's class prompt, shown beside the subject so that it is not forgotten.

Prior preservation of Ruiz et al., 2023, arXiv:2208.12242.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from ..data.folder import FolderError, Item, pictures_in
from ..data.pictures import PictureError, size
from ..disk import replacing
from ..events import Prepared, Warned
from ..host import Checkpoint, Host, Picture
from ..keyed import seed_of
from ..run import Concept, Run
from ..settings import SettingError

FOLDER, AT_ONCE = "class pictures", 4
LONGEST = 60  # letters of a prompt in a folder's name


def folder_of(run: Run, concept: Concept, checkpoint: Checkpoint, host: Host) -> Path:
    """The concept's own folder, or one kept for this checkpoint, prompt and size."""
    if concept.class_folder:
        return Path(concept.class_folder).expanduser()
    words = re.sub(r"[^\w]+", "-", concept.class_prompt).strip("-")
    if len(words) > LONGEST:
        words = f"{words[:LONGEST]}-{seed_of(concept.class_prompt):016x}"
    drawn_by = f"{checkpoint.path.stem}-{checkpoint.sha256[:8]}"
    how = f"{run.data.resolution}-{run.prior.cfg:g}-{run.prior.drawing_steps}-{run.data.clip_skip}"
    return host.folders.workspaces / FOLDER / drawn_by / f"{words}-{how}"


def prepared(run: Run, checkpoint: Checkpoint, host: Host) -> Iterator[Prepared | Warned | list[Item]]:
    """Draws what is missing, telling how far it is; last the items of all concepts. Raises SettingError, FolderError."""
    if not run.prior.preserve:
        yield []
        return
    items: list[Item] = []
    for concept in run.concepts:
        if not concept.class_prompt:
            raise SettingError("Class pictures are on, but a concept has no class prompt. Say what things of its kind are called, "
                               "such as 'a ghost', or switch class pictures off.")
        folder = folder_of(run, concept, checkpoint, host)
        if concept.class_folder and not pictures_in(folder):
            raise FolderError(f"The folder of class pictures {folder} holds no picture. Choose another, or leave it empty.")
        if not concept.class_folder:
            yield from drawn(run, concept.class_prompt, folder, host)
        for path in pictures_in(folder)[:None if concept.class_folder else run.prior.pictures]:
            try:
                items.append(Item(path, (concept.class_prompt,), 1, *size(path), prior=True))
            except PictureError as error:
                yield Warned(f"Left out: {error}")
    yield items


def drawn(run: Run, prompt: str, folder: Path, host: Host) -> Iterator[Prepared]:
    """Draws the pictures whose numbers are not there yet; a number is its seed."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [n for n in range(run.prior.pictures) if not (folder / f"{n:05d}.png").exists()]
    edge = run.data.resolution // 8 * 8
    for start in range(0, len(missing), AT_ONCE):
        yield Prepared(f"Drawing class pictures, {len(missing) - start} to go", start / len(missing))
        numbers = missing[start:start + AT_ONCE]
        wanted = [Picture(prompt, steps=run.prior.drawing_steps, cfg=run.prior.cfg, width=edge, height=edge, seed=n,
                          clip_skip=run.data.clip_skip) for n in numbers]
        for n, image in zip(numbers, host.draw(wanted)):
            with replacing(folder / f"{n:05d}.png") as part:
                image.save(part, "PNG")
