"""What the Files tab asks of a tool, as the tools take it: names from lists become paths, and results sentences."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...export.products import EXPORTS
from ...host import Host, find_checkpoint
from ...settings import SettingError
from ...support.disk import checked_file_name, files_in, is_inside

if TYPE_CHECKING:
    from ...files.combine import Part
    from ...files.progress import Tool
    from ...files.resize import Resized
    from ...files.singular import Keep

SUFFIXES = (".safetensors", ".pt", ".ckpt", ".bin")
RANK, ENERGY, ERROR, FULL = "rank", "share of the energy", "relative error", "no rank: the difference in full"
AS_IT_IS = "as the file"
LAYOUTS = {"kohya's, for every WebUI": "kohya", "AUTOMATIC1111's .pt": "pt", "ComfyUI's": "comfyui",
           "diffusers'": "diffusers", "PEFT's": "peft"}  # to the keys of files/layouts.py


@dataclass(frozen=True)
class Asked:
    """The fields of the tab."""

    file: str
    base: str
    others: str
    weight: float
    blocks: str
    keep: str
    amount: float | None
    tuned: str
    layout: str
    precision: str
    name: str
    replace: bool


Answer = tuple["Tool[Any]", Callable[[Any], str]]  # a tool, and the sentence that its result is told in


class FileTools:
    """The tools, for the files and folders of a host."""

    def __init__(self, host: Host):
        self.host = host

    def files(self) -> list[str]:
        """The names of LoRA files in the host's folder, with their subfolders."""
        folder = self.host.folders.lora
        return [path.relative_to(folder).as_posix() for path in files_in(folder) if path.suffix.lower() in SUFFIXES]

    def path(self, name: str | None) -> Path:
        """Raises SettingError for none, and for what is not in the folder."""
        if not (name or "").strip():
            raise SettingError("Choose a file first.")
        path = self.host.folders.lora / str(name).strip()
        path = path if path.suffix else path.with_suffix(SUFFIXES[0])
        if not is_inside(path, self.host.folders.lora) or not path.is_file():
            raise SettingError(f"There is no file {name} in the folder of LoRAs. Press 🔄 and choose again.")
        return path

    def checkpoint(self, title: str | None) -> Path | None:
        """Raises HostError."""
        return find_checkpoint(self.host, title).path if title else None

    def needed_checkpoint(self, title: str) -> Path:
        """Raises SettingError, HostError."""
        path = self.checkpoint(title)
        if path is None:
            raise SettingError("Choose a checkpoint first.")
        return path

    def out(self, asked: Asked, folder: Path, suffix: str = SUFFIXES[0]) -> Path:
        """Raises NameProblem."""
        return folder / (checked_file_name(asked.name, "new file's name") + suffix)

    def parts(self, asked: Asked) -> "list[Part]":
        """The chosen file with its weight, then the others, a line each: name, weight, blocks. Raises SettingError."""
        from ...files.combine import Part

        parts = [Part(self.path(asked.file), asked.weight, asked.blocks)]
        for line in filter(None, map(str.strip, asked.others.splitlines())):
            name, colon, weight = line.rpartition(":")
            try:
                parts.append(Part(self.path(name), float(weight)) if colon else Part(self.path(line)))
            except ValueError:
                raise SettingError(f"{line!r} is no file with its weight. Write a line as ghost:0.5.") from None
        return parts

    # ---- the tools

    def add(self, asked: Asked) -> Answer:
        from ...files.combine import Sum, add_up

        told = Sum(self.parts(asked), self.out(asked, self.host.folders.lora), self.checkpoint(asked.base),
                   precision(asked), asked.replace)
        return add_up(told), written

    def at_one(self, asked: Asked) -> Answer:
        """Scales the file by the weight that its card prefers, so that it works at weight 1."""
        from ...files.combine import Part, Sum, add_up
        from ...files.edit import preferred_weight

        path = self.path(asked.file)
        told = Sum([Part(path, preferred_weight(path))], self.out(asked, self.host.folders.lora), None,
                   precision(asked), asked.replace, "scale")
        return add_up(told), written

    def resize(self, asked: Asked) -> Answer:
        from ...files.resize import Resize, resize

        told = Resize(self.path(asked.file), self.out(asked, self.host.folders.lora), keep(asked),
                      self.checkpoint(asked.base), precision(asked), asked.replace)
        return resize(told), resized

    def merge(self, asked: Asked) -> Answer:
        from ...files.merge import Merge, merge

        told = Merge(self.needed_checkpoint(asked.base), self.parts(asked),
                     self.out(asked, self.host.folders.checkpoints), precision(asked), asked.replace)
        return merge(told), lambda done: written(done.path)

    def extract(self, asked: Asked) -> Answer:
        from ...files.extract import Extract, extract

        told = Extract(self.needed_checkpoint(asked.base), self.needed_checkpoint(asked.tuned),
                       self.out(asked, self.host.folders.lora), keep(asked), precision(asked) or "fp16", asked.replace)
        return extract(told), resized

    def convert(self, asked: Asked) -> Answer:
        from ...files.layouts import LAYOUTS as KNOWN
        from ...files.layouts import Conversion, convert

        layout = LAYOUTS[asked.layout]
        own = self.host.folders.lora if layout == "kohya" else self.host.folders.workspaces / EXPORTS
        told = Conversion(self.path(asked.file), self.out(asked, own, KNOWN[layout].suffix), layout, precision(asked),
                          asked.replace)
        return convert(told), lambda paths: written(paths[0])


# By what the page calls a tool: how it is asked, and the fields of Asked that it needs beside the file and the name.
TOOLS: Mapping[str, tuple[Callable[[FileTools, Asked], Answer], tuple[str, ...]]] = {
    "Add up, subtract, scale, weigh blocks": (FileTools.add, ("others", "weight", "blocks", "precision")),
    "Make it work at weight 1": (FileTools.at_one, ("precision",)),
    "Resize, or export as a LoRA or a difference": (FileTools.resize, ("keep", "amount", "precision")),
    "Merge into the checkpoint": (FileTools.merge, ("others", "weight", "blocks", "precision")),
    "Extract a LoRA from two checkpoints": (FileTools.extract, ("keep", "amount", "tuned", "precision")),
    "Convert to another layout or precision": (FileTools.convert, ("layout", "precision")),
}


def precision(asked: Asked) -> str:
    return "" if asked.precision == AS_IT_IS else asked.precision


def keep(asked: Asked) -> "Keep | None":
    """Raises FileProblem, SettingError."""
    from ...files.resize import parse_keep

    if asked.keep == FULL:
        return None
    if asked.amount is None:
        raise SettingError("Enter how much is kept: a rank such as 16, or a share or an error such as 0.95 or 0.01.")
    rank = int(asked.amount) if asked.keep == RANK else None
    return parse_keep(rank, *(asked.amount if asked.keep == name else None for name in (ENERGY, ERROR)))


def written(path: Path) -> str:
    return f"Saved as {path}."


def resized(done: "Resized") -> str:
    left = f" {len(done.left_out)} norms or biases have no place in a LoRA and are left out." if done.left_out else ""
    if not done.ranks:
        return f"Saved as {done.path}."
    return f"Saved as {done.path}. The largest rank is {done.rank}; the relative error is {done.error:.3g}.{left}"

