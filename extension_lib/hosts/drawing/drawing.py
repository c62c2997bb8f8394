"""Pictures drawn as the prompt box asks: tags load files from the host's folders, embeddings are words."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from PIL import Image

from ...compare import tags
from ...compare.series import has_word
from ...data.listing import is_utf8
from ...export import embedding, lora
from ...export.embedding import WordVectors
from ...host import Folders, HostError, Picture
from ...models.view import View
from ...support.disk import files_in
from . import merging, sampling
from .readers import embedding_vectors, fitting_vectors, read_hypernetwork

log = logging.getLogger("darkroom")
# kind of tag -> folder, suffixes
TAGGED = {"lora": ("lora", lora.SUFFIXES), "hypernet": ("hypernetworks", (".pt",))}


def draw_with_files(view: View, folders: Folders, pictures: list[Picture]) -> list[Image.Image]:
    """The pictures, in their order, drawn with the files that their prompts name.

    The model is afterwards bit for bit what it was. Raises HostError for a tag without a file.
    """
    images: dict[int, Image.Image] = {}
    prompts = [text for picture in pictures for text in (picture.prompt, picture.negative)]
    with embeddings_known(view, folders.embeddings, prompts):
        for used, numbered in grouped_by_tags(pictures).items():
            with files_loaded(view, folders, used):
                drawn = sampling.draw_pictures(view, [picture for _, picture in numbered])
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
    """Within, the words that these files bundle are known, unless an embedding has that name. Raises HostError."""
    with ExitStack() as undo:
        for path in adapters:
            for name, vectors in lora.bundled_words(path).items():
                add_word(view, name, fitting_vectors(vectors, path, view), undo)
        yield


@contextmanager
def embeddings_known(view: View, folder: Path, prompts: Iterable[str]) -> Iterator[None]:
    """Within, every embedding in the folder that fits this checkpoint is a word; a word that is being learned stays.

    As in the WebUI, one that cannot be used stops no drawing: it is named where a prompt has its word.
    """
    asked = " ".join(prompts)
    with ExitStack() as undo:
        for path in files_in(folder):
            if path.suffix.lower() in embedding.SUFFIXES and not view.has_word(path.stem):
                try:
                    add_word(view, path.stem, embedding_vectors(path, view), undo)
                except HostError as error:
                    if has_word(asked, path.stem):
                        log.warning("The embedding %r is not used. %s", path.stem, error)
                else:
                    name_common_word(view, path, asked)
        yield


def name_common_word(view: View, path: Path, asked: str) -> None:
    """A file that is called as a word of CLIP's own stands for that word in every prompt."""
    if has_word(asked, path.stem) and len(view.tokens(path.stem)) == 1:
        log.warning("The embedding %s stands for the word %r in this prompt, which the checkpoint knows by itself. "
                    "Rename the file if you meant the word.", path.name, path.stem)


def add_word(view: View, name: str, vectors: WordVectors, undo: ExitStack) -> None:
    """Raises HostError for a name that is no text."""
    if not is_utf8(name):
        raise HostError(f"The name {name!a} is not UTF-8, so it cannot be typed in a prompt. Rename the file.")
    if not view.has_word(name):
        view.add_word(name, {encoder: own.to(view.device) for encoder, own in vectors.items()})
        undo.callback(view.remove_word, name)


def tagged_file(tag: tags.Tag, folders: Folders) -> Path:
    """Raises HostError when no file has that name."""
    if tag.kind not in TAGGED:
        raise HostError(f"<{tag.kind}:{tag.name}> is not known here; use <lora:name:weight> or <hypernet:name:weight>.")
    folder_name, suffixes = TAGGED[tag.kind]
    folder: Path = getattr(folders, folder_name)
    named = [path for path in files_in(folder) if path.stem == tag.name and path.suffix.lower() in suffixes]
    if not named:
        raise HostError(f"There is no {tag.kind} {tag.name} in {folder}.")
    return min(named, key=lambda path: suffixes.index(path.suffix.lower()))


def grouped_by_tags(pictures: list[Picture]) -> dict[tuple[tags.Tag, ...], list[tuple[int, Picture]]]:
    """Pictures with their numbers by the tags in their prompts; the prompts are without tags."""
    groups: dict[tuple[tags.Tag, ...], list[tuple[int, Picture]]] = {}
    for number, picture in enumerate(pictures):
        prompt, used = tags.split_prompt(picture.prompt)
        groups.setdefault(tuple(used), []).append((number, replace(picture, prompt=prompt)))
    return groups
