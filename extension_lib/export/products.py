"""The kinds of files that methods save: their folder, how they are written, what the host's loader must read."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from ..config.run import Run, new_words_of
from ..host import Folders
from ..methods.base import Trainable
from ..support.lazy import LazyTensors
from . import checkpoint, embedding, hypernetwork, lora
from .provenance import Provenance

EXPORTS = "exports"  # a folder in the workspaces' folder: files that the WebUI must not list
EmbeddingWriter = Callable[[Path, embedding.WordVectors, Provenance], None]
VERSION = re.compile(r"-v\d+$")


def output_name(run: Run) -> list[str]:
    return [run.output.name]


def word_names(run: Run) -> list[str]:
    """A single word gets the output's name. Several keep their names and get the output's version, such as -v2."""
    words = new_words_of(run)
    version = VERSION.search(run.output.name)
    return [run.output.name] if len(words) == 1 else [w.name + (version[0] if version else "") for w in words]


def word_names_beside_adapter(run: Run) -> list[str]:
    """With an adapter, the words keep the names that were trained and get the output's version, such as -v2."""
    version = VERSION.search(run.output.name)
    return [w.name + (version[0] if version and w.name != run.output.name else "") for w in new_words_of(run)]


@dataclass(frozen=True)
class OutputFile:
    """Files of one kind that a run writes."""

    kind: str  # how the host reads it: "lora", "embedding", "hypernetwork", "checkpoint"
    folder: Callable[[Folders], Path]
    write: Callable[[list[Path], Any, Provenance], None]  # the paths, what was trained
    expected: Callable[[Any], Sequence[Mapping[str, Tensor]]]  # for each path, what a correct loader reads
    stems: Callable[[Run], list[str]] = output_name
    suffix: str = ".safetensors"
    picture: str = ".png"  # a plain .png beside an embedding would be read as one
    card: bool = True
    companions: Callable[[Path], Sequence[Path]] = lambda path: ()  # what its writer may write beside it
    # raises FormatError if such a file cannot be saved from this base
    require: Callable[[Path, Path], None] = lambda path, base: None

    def path(self, folders: Folders, stem: str) -> Path:
        return self.folder(folders) / f"{stem}{self.suffix}"

    def beside(self, path: Path) -> list[Path]:
        """What may be written beside such a file: its card, its picture, and what its writer adds."""
        card = [path.with_suffix(".json")] if self.card else []
        return [*card, path.with_suffix(self.picture), *self.companions(path)]


def save_lora(paths: list[Path], trained: Trainable, about: Provenance) -> None:
    lora.write_adapter(paths[0], trained, about)


def save_embeddings(paths: list[Path], trained: Any, about: Provenance,
                    write: EmbeddingWriter = embedding.write_embedding) -> None:
    for path, vectors in zip(paths, trained.vectors().values()):
        write(path, vectors, about)


def save_hypernetwork(paths: list[Path], trained: Trainable, about: Provenance) -> None:
    hypernetwork.write_hypernetwork(paths[0], trained, about)


def save_checkpoint(paths: list[Path], trained: Trainable, about: Provenance) -> None:
    checkpoint.write_checkpoint(paths[0], trained.file_tensors(), about)


def trained_tensors(trained: Trainable) -> list[Mapping[str, Tensor]]:
    """What was trained, under its own names."""
    return [LazyTensors({name: partial(fp32_on_cpu, t) for name, t in trained.file_tensors().items()})]


def fp32_on_cpu(tensor: Tensor) -> Tensor:
    return tensor.float().cpu()


LORA = OutputFile("lora", lambda f: f.lora, save_lora, lambda trained: [trained.deltas()])
EMBEDDING = OutputFile("embedding", lambda f: f.embeddings, save_embeddings,
                       lambda trained: [{encoder: v.float().cpu() for encoder, v in own.items()}
                                        for own in trained.vectors().values()],
                       stems=word_names, picture=".preview.png", card=False)
HYPERNETWORK = OutputFile("hypernetwork", lambda f: f.hypernetworks, save_hypernetwork, trained_tensors, suffix=".pt",
                          picture=".preview.png", card=False)
FILES: dict[str, OutputFile] = {  # by the names that methods give in files()
    "lora": LORA,
    "embedding": EMBEDDING,
    "embedding_pt": replace(EMBEDDING, folder=lambda f: f.workspaces / EXPORTS, suffix=".pt",
                            write=lambda paths, trained, about: save_embeddings(paths, trained, about,
                                                                                embedding.write_embedding_pt)),
    "hypernetwork": HYPERNETWORK,
    "checkpoint": OutputFile("checkpoint", lambda f: f.checkpoints, save_checkpoint, trained_tensors,
                             companions=checkpoint.config_files, require=checkpoint.require_streamable),
    # A pair is an adapter and its words. It is saved as two files: if the embedding exists too, the WebUI would skip
    # the word of a bundle.
    "lora_of_pair": replace(LORA, write=lambda paths, pair, about: save_lora(paths, pair.adapter, about)),
    "embedding_of_pair": replace(EMBEDDING, write=lambda paths, pair, about: save_embeddings(paths, pair.words, about),
                                 expected=lambda pair: EMBEDDING.expected(pair.words), stems=word_names_beside_adapter),
    "bundle": replace(LORA, folder=lambda f: f.workspaces / EXPORTS, stems=lambda run: [f"{run.output.name}-bundle"],
                      card=False),
}


def output_files(run: Run) -> tuple[OutputFile, ...]:
    return tuple(FILES[kind] for kind in run.method.files())


def require_writable(run: Run, folders: Folders, base: Path) -> None:
    """Raises FormatError where the files of a run on this base could not be written."""
    for part in output_files(run):
        for stem in part.stems(run):
            part.require(part.path(folders, stem), base)


def words_learned(run: Run) -> tuple[str, ...]:
    """The words that a run learns, by the names of their files."""
    return tuple(
        dict.fromkeys(stem for part in output_files(run) if part.kind == "embedding" for stem in part.stems(run)))
