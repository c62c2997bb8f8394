"""What a file holds, read without a WebUI: adapters, embeddings, hypernetworks and checkpoints."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from ...export import checkpoint, embedding, hypernetwork
from ...host import HostError
from ...methods.adapter import FormatError
from ...models.view import View
from . import merging


def adapter_deltas(path: Path, view: View) -> Mapping[str, Tensor]:
    """By layer key, what the file adds to the layer's weight and bias. Raises HostError."""
    return merging.read_deltas(path, view.layers())


def embedding_vectors(path: Path, view: View) -> embedding.WordVectors:
    """Raises HostError for a file that is no embedding, or one for another text encoder."""
    try:
        return fitting_vectors(embedding.read_embedding(path), path, view)
    except FormatError as error:
        raise HostError(str(error)) from None


def fitting_vectors(vectors: embedding.WordVectors, path: Path, view: View) -> embedding.WordVectors:
    """The vectors of a file's word, if they have the widths of this checkpoint's. Raises HostError."""
    widths = {encoder: table.shape[1] for encoder, table in view.vocabularies().items()}
    found = {encoder: own.shape[1] for encoder, own in vectors.items()}
    if found != widths:
        raise HostError(f"The embedding {path.name} is {wide(found)} wide, but this checkpoint's words are "
                        f"{wide(widths)} wide.")
    return vectors


def wide(widths: dict[str, int]) -> str:
    return " and ".join(map(str, widths.values()))


def hypernetwork_tensors(path: Path, view: View) -> dict[str, Tensor]:
    """Raises HostError."""
    return read_hypernetwork(path).tensors()


def checkpoint_weights(path: Path, view: View) -> dict[str, Tensor]:
    """The file's values of all parameters that can be trained."""
    return checkpoint.read_checkpoint(path, [w.name for w in view.weights() if w.parameter.requires_grad])


def read_hypernetwork(path: Path) -> hypernetwork.HypernetworkFile:
    """Raises HostError."""
    try:
        return hypernetwork.read_hypernetwork(path)
    except FormatError as error:
        raise HostError(str(error)) from None


READERS = {"lora": adapter_deltas, "embedding": embedding_vectors, "hypernetwork": hypernetwork_tensors,
           "checkpoint": checkpoint_weights}
