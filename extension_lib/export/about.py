"""What a saved file says about where it came from."""

from dataclasses import dataclass
from pathlib import Path

from ..family import Family
from ..run import FILEWORDS, Run


@dataclass(frozen=True)
class About:
    """The facts of a run at the moment of saving."""

    run: Run
    family: Family
    prediction: str  # "eps" or "v"
    checkpoint: Path
    checkpoint_hash: str  # sha256 of the file, hex; "" when unknown
    step: int  # over the workspace's lifetime
    epoch: int
    pictures: int
    class_pictures: int
    compute: str  # "no" for fp32, "fp16" or "bf16": what was computed in beside fp32
    per_epoch: int
    folders: dict[str, tuple[int, int]]  # folder name -> (repeats, pictures)
    tags: dict[str, dict[str, int]]  # folder name -> caption part -> count
    buckets: dict[tuple[int, int], int]  # size -> pictures
    started: float  # seconds since 1970
    finished: float
    words: tuple[str, ...] = ()  # learned with it, by the names of their own files without a step

    @property
    def trigger(self) -> str:
        """What to type beside the tag: the first concept's instance prompt without its caption."""
        texts = [c.instance_prompt.replace(FILEWORDS, "").strip(" ,") for c in self.run.concepts]
        return ", ".join(t for t in texts if t)
