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


def embedding_vectors(path: Path, view: View) -> dict[str, Tensor]:
    """{"vectors": (n, width)}. Raises HostError for a file that is no embedding, or one for another text encoder."""
    try:
        return {"vectors": fitting_vectors(embedding.read_embedding(path), path, view)}
    except FormatError as error:
        raise HostError(str(error)) from None


def fitting_vectors(vectors: Tensor, path: Path, view: View) -> Tensor:
    """The vectors of a file's word, if they have the width of this checkpoint's. Raises HostError."""
    width = view.vocabulary().shape[1]
    if vectors.dim() != 2 or vectors.shape[1] != width:
        raise HostError(f"The embedding {path.name} is {vectors.shape[-1:].numel()} wide, but this checkpoint's words "
                        f"are {width} wide.")
    return vectors


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
