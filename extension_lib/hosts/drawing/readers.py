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
        vectors = embedding.read_embedding(path)
    except FormatError as error:
        raise HostError(str(error)) from None
    width = view.vocabulary().shape[1]
    if vectors.shape[1] != width:
        raise HostError(f"The embedding {path.name} is {vectors.shape[1]} wide, but this checkpoint's words are "
                        f"{width} wide.")
    return {"vectors": vectors}


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
