"""What a saved file says about where it came from."""

from dataclasses import dataclass
from pathlib import Path

from ..config.run import FILEWORDS, Concept, Run
from ..data.captions import NAME
from ..data.templates import OWN
from ..families.family import Family


@dataclass(frozen=True)
class Provenance:
    """The facts of a run at the moment of saving."""

    run: Run
    family: Family
    prediction: str  # "eps" or "v"
    checkpoint: Path
    checkpoint_hash: str  # sha256 of the file, hex; "" when unknown
    step: int  # over the workspace's lifetime, as the next two
    last_step: int  # at which the run ends
    epoch: int
    pictures: int  # each as often as it is repeated in an epoch, in buckets too
    class_pictures: int
    compute: str  # "no" for fp32, "fp16" or "bf16": what was computed in beside fp32
    per_epoch: int
    folders: dict[str, tuple[int, int]]  # folder name -> (repeats, pictures)
    tags: dict[str, dict[str, int]]  # folder name -> caption part -> count
    buckets: dict[tuple[int, int], int]  # size -> pictures
    started: float  # seconds since 1970
    finished: float
    name: str = ""  # of the output, without a step
    processes: int = 1  # that trained together
    words: tuple[str, ...] = ()  # learned with it, by the names of their own files without a step

    @property
    def trigger(self) -> str:
        """What to type beside the tag: the concepts' own prompts without captions, and the words that were learned."""
        return ", ".join(text for n, concept in enumerate(self.run.concepts) if (text := self.called(n, concept)))

    def called(self, n: int, concept: Concept) -> str:
        word = self.words[n] if n < len(self.words) else ""
        own = concept.instance_prompt if self.run.data.template == OWN else ""
        text = own.replace(FILEWORDS, "").replace(NAME, word or concept.word or self.name).strip(" ,")
        return text if word in text else f"{word}, {text}".strip(" ,")
