"""What can be known before the first step: whether folders can be written, the disk has room, the optimiser works."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import torch

from ..config.run import Run
from ..export.products import output_files
from ..host import Folders, Host, HostError
from ..methods.base import ParameterGroup, Trainable
from ..model import Model
from ..settings import SettingError
from ..support.disk import SaveError, existing, require_writable_folder
from ..training.loop import is_half
from ..training.optimizer import Optimizer
from ..training.ranks import ALONE, Ranks
from ..workspaces.workspace import Workspace

STATE_COPIES = 2  # the state of the last save and a newer one
BYTES = 4  # of a weight, in fp32
SAVED_BYTES = {"fp32": 4}  # of a number in a file; 2 in the others
TRIED = 64, 64  # the shape of the matrix that an optimiser is tried on; smaller ones are not held in 8 bits
MARGIN = 2**26  # bytes, for logs and pictures


def require_folders(run: Run, folders: Folders, workspace: Workspace) -> None:
    """Raises SaveError for a folder that cannot be written, before anything is trained."""
    for folder in {workspace.folder, *(part.folder(folders) for part in output_files(run))}:
        require_writable_folder(folder)


def require_optimizer(run: Run, device: torch.device) -> None:
    """Raises SettingError for an optimiser that cannot change weights on this device; a step of it is tried."""
    kind = run.training.optimizer_kind
    if kind.needs_cuda and device.type != "cuda":
        raise SettingError(f"{kind.name} needs an NVIDIA card, and this model is on {device.type}. Choose another "
                           "optimizer.")
    try:
        weight = torch.nn.Parameter(torch.ones(TRIED, device=device))
        tried = Optimizer([ParameterGroup("unet", 1.0, [weight])], run.training, scaled=False)
        with tried.during(run.training.steps - 1):
            tried.backward(weight.sum())
        tried.step(run.training.steps - 1)
    except (ImportError, OSError, RuntimeError, AttributeError, NameError, TypeError) as error:
        raise SettingError(f"{kind.name} does not work with the versions here ({error}). Choose another "
                           "optimizer.") from error


def require_in_backward(run: Run, model: Model, ranks: Ranks = ALONE) -> None:
    """Raises SettingError where weights are to be updated in the backward pass, and the loss must be scaled or
    gradients added up. model: with what is trained attached, which may have set what it computes in."""
    if run.training.in_backward and ranks.together:
        raise SettingError("training.in_backward keeps no gradients, but several processes add theirs up. Start one "
                           "process, or switch it off.")
    if run.training.in_backward and is_half(model):
        raise SettingError("training.in_backward does not work in fp16, where all gradients are looked at together. "
                           "Start the WebUI in full precision (--no-half), train DreamBooth in bf16, or switch it off.")


def require_read(host: Host, run: Run, trainable: Trainable) -> None:
    """Raises HostError where the host would leave out some of what is trained, before anything is trained."""
    if any(part.kind == "lora" for part in output_files(run)):
        left = host.unread({name: small(tensor) for name, tensor in trainable.file_tensors().items()})
        if left:
            raise HostError(f"{len(left)} of the file's tensors would be left out here, such as {left[0]}. Set the "
                            "text encoder's learning rate to 0, choose fewer layers, or train standalone.")


def small(tensor: torch.Tensor) -> torch.Tensor:
    """Without its numbers, but where it is one."""
    return tensor.detach() if tensor.numel() == 1 else torch.empty(tensor.shape, device="meta")


def require_room(run: Run, folders: Folders, workspace: Workspace, trainable: Trainable, base: Path) -> None:
    """Raises SaveError where a disk has less room than the run will need for its state and its files."""
    wanted: dict[int, tuple[Path, int]] = {}
    for folder, size in sizes(run, folders, workspace, trainable, base):
        place = existing(folder)
        disk = place.stat().st_dev
        wanted[disk] = (place, wanted.get(disk, (place, 0))[1] + size)
    for folder, size in wanted.values():
        free = shutil.disk_usage(folder).free
        if size + MARGIN > free:
            raise SaveError(f"The disk of {folder} has {in_gb(free)} free, but this run will write about "
                            f"{in_gb(size)}. Free some room, or save fewer copies: Save every N steps, Keep last.")


def sizes(run: Run, folders: Folders, workspace: Workspace, trainable: Trainable, base: Path
          ) -> Iterator[tuple[Path, int]]:
    """Folders and the bytes that will be written into each, about."""
    numbers = sum(parameter.numel() for group in trainable.groups() for parameter in group.parameters)
    yield workspace.folder, int(numbers * (BYTES + run.training.optimizer_kind.state)) * STATE_COPIES
    each = numbers * SAVED_BYTES.get(run.saving.precision, 2)
    for part in output_files(run):
        size = base.stat().st_size if part.kind == "checkpoint" else each
        yield part.folder(folders), size * (1 + copies(run))


def copies(run: Run) -> int:
    """How many copies by step there will be at once."""
    every, most = run.saving.save_every, run.saving.keep_last
    count = run.training.steps // every if every else 0
    return min(count, most + 1) if most else count


def in_gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
