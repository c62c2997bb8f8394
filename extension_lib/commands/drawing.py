"""The commands that draw a picture or a grid."""

import argparse
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config.presets import drawing_run
from ..host import LARGEST_SEED, HostError, Picture, find_checkpoint, require_drawable
from ..support.disk import SaveError, is_folder, replacing
from . import studio
from .studio import say

if TYPE_CHECKING:
    from ..hosts.standalone import Standalone

PICTURE_OPTIONS = {"steps": int, "width": int, "height": int, "cfg": float, "sampler": str}  # a checkpoint has its own


def draw(given: argparse.Namespace, rest: list[str]) -> int:
    """Draw one picture."""
    require_writable(given.out)
    here = studio.host()
    if given.checkpoint:
        here.load(find_checkpoint(here, given.checkpoint))
    save_picture(here.draw([picture(given, here)])[0], given.out)
    return 0


def compare(given: argparse.Namespace, rest: list[str]) -> int:
    """Draw LoRA weight against training step."""
    from ..compare.grid import GridPlan, parse_weights
    from ..compare.series import find_series
    from ..compare.sheet import draw_sheet

    require_writable(given.out)
    here = studio.host()
    if given.checkpoint:
        here.load(find_checkpoint(here, given.checkpoint))
    series = next((s for s in find_series(here.folders) if s.label == given.lora), None)
    if series is None:
        raise HostError(f"There is no LoRA {given.lora} in {here.folders.lora}.")
    drawn = picture(given, here)
    plan = GridPlan(series, parse_weights(given.weights), (given.prompt, ), (drawn.seed, ), drawn)
    save_picture(draw_sheet(plan, here), given.out)
    return 0


def save_picture(image: Any, path: Path) -> None:
    """Raises SaveError."""
    from PIL import Image

    with replacing(path) as part:
        image.save(part, Image.registered_extensions()[path.suffix.lower()])
    say(path)


def picture(given: argparse.Namespace, here: "Standalone") -> Picture:
    """The picture of the command line; what is not given is as in the checkpoint's previews. Raises HostError."""
    run = drawing_run(here)
    side, previews = run.data.resolution, run.previews
    values: dict[str, Any] = {"steps": previews.preview_steps, "width": side, "height": side, "cfg": previews.cfg,
                              "sampler": previews.sampler}
    values |= {name: getattr(given, name) for name in PICTURE_OPTIONS if getattr(given, name) is not None}
    seed = given.seed if given.seed != -1 else secrets.randbelow(LARGEST_SEED + 1)
    drawn = require_drawable(Picture(given.prompt, given.negative, seed=seed, clip_skip=run.data.clip_skip, **values))
    if given.seed == -1:
        say(f"Seed {seed}")
    return drawn


def require_writable(path: Path) -> None:
    """Raises SaveError where no picture can be written."""
    from PIL import Image

    if not is_folder(path.parent):
        raise SaveError(f"There is no folder {path.parent} to write {path.name} into. Create it, or choose another "
                        "--out.")
    if Image.registered_extensions().get(path.suffix.lower()) not in Image.SAVE:
        raise SaveError(f"{path.name} does not end as a picture that can be written. Call it {path.stem}.png.")
