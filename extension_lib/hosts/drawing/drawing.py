"""Pictures drawn as the prompt box asks: tags load files from the host's folders, embeddings are words."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from PIL import Image
from torch import Tensor

from ...compare import tags
from ...export import embedding, lora
from ...host import Folders, HostError, Picture
from ...models.view import View
from ...support.disk import files_in
from . import merging, sampling
from .readers import embedding_vectors, read_hypernetwork

# kind of tag -> folder, suffixes
TAGGED = {"lora": ("lora", (".safetensors",)), "hypernet": ("hypernetworks", (".pt",))}


def draw_with_files(view: View, betas: Tensor, folders: Folders, pictures: list[Picture]) -> list[Image.Image]:
    """The pictures, in their order, drawn with the files that their prompts name. betas: (timesteps,) of the noise
    schedule.

    The model is afterwards bit for bit what it was. Raises HostError for a tag without a file.
    """
    images: dict[int, Image.Image] = {}
    with embeddings_known(view, folders.embeddings):
        for used, numbered in grouped_by_tags(pictures).items():
            with files_loaded(view, folders, used):
                drawn = sampling.draw_pictures(view, betas, [picture for _, picture in numbered])
            images.update(zip((number for number, _ in numbered), drawn))
    return [images[number] for number in range(len(pictures))]


@contextmanager
def files_loaded(view: View, folders: Folders, used: tuple[tags.Tag, ...]) -> Iterator[None]:
    """Within, the model draws with the files of these tags."""
    files = [(tagged_file(tag, folders), tag) for tag in used]
    adapters = [(path, tag) for path, tag in files if tag.kind == "lora"]
    networks = [(read_hypernetwork(path), tag) for path, tag in files if tag.kind == "hypernet"]
    layers = view.layers()
    with (bundled_words_known(view, [path for path, _ in adapters]), merging.merged_into_weights(layers, adapters),
          merging.attached_before_attention(layers, networks)):
        yield


@contextmanager
def bundled_words_known(view: View, adapters: list[Path]) -> Iterator[None]:
    """Within, the words that these files bundle are known, unless an embedding has that name."""
    with ExitStack() as undo:
        for path in adapters:
            for name, vectors in lora.bundled_words(path).items():
                add_word(view, name, vectors, undo)
        yield


@contextmanager
def embeddings_known(view: View, folder: Path) -> Iterator[None]:
    """Within, every embedding in the folder that fits this checkpoint is a word; a word that is being learned stays."""
    with ExitStack() as undo:
        for path in files_in(folder):
            if path.suffix in embedding.SUFFIXES and not view.words.has(path.stem):
                with suppress(HostError):  # as in the WebUI, a file for another family stops no drawing
                    add_word(view, path.stem, embedding_vectors(path, view)["vectors"], undo)
        yield


def add_word(view: View, name: str, vectors: Tensor, undo: ExitStack) -> None:
    if not view.words.has(name):
        view.add_word(name, vectors.to(view.device))
        undo.callback(view.remove_word, name)


def tagged_file(tag: tags.Tag, folders: Folders) -> Path:
    """Raises HostError when no file has that name."""
    if tag.kind not in TAGGED:
        raise HostError(f"<{tag.kind}:{tag.name}> is not known here; use <lora:name:weight> or <hypernet:name:weight>.")
    folder_name, suffixes = TAGGED[tag.kind]
    folder: Path = getattr(folders, folder_name)
    for path in files_in(folder):
        if path.stem == tag.name and path.suffix in suffixes:
            return path
    raise HostError(f"There is no {tag.kind} {tag.name} in {folder}.")


def grouped_by_tags(pictures: list[Picture]) -> dict[tuple[tags.Tag, ...], list[tuple[int, Picture]]]:
    """Pictures with their numbers by the tags in their prompts; the prompts are without tags."""
    groups: dict[tuple[tags.Tag, ...], list[tuple[int, Picture]]] = {}
    for number, picture in enumerate(pictures):
        prompt, used = tags.split_prompt(picture.prompt)
        groups.setdefault(tuple(used), []).append((number, replace(picture, prompt=prompt)))
    return groups
