"""Captions by the WebUI's own interrogators; the caller holds the WebUI's queue."""

import importlib.util
from collections.abc import Iterable, Iterator
from typing import Any

from modules import deepbooru, paths, shared

from ...host import HostError

FAILED = "<error>"  # what the WebUI's interrogator ends with instead of raising


def captioner_names() -> tuple[str, ...]:
    """DeepBooru is part of the WebUI; CLIP needs BLIP's repository and OpenAI's package.

    Weights are downloaded at first use.
    """
    has_clip = "BLIP" in paths.paths and importlib.util.find_spec("clip") is not None
    return ("DeepBooru", "CLIP") if has_clip else ("DeepBooru",)


def captions(how: str, images: Iterable[Any]) -> Iterator[str]:
    """Raises HostError, naming what could not be loaded."""
    return {"DeepBooru": deepbooru_captions, "CLIP": clip_captions}[how](images)


def deepbooru_captions(images: Iterable[Any]) -> Iterator[str]:
    try:
        deepbooru.model.start()
    except (OSError, IndexError, RuntimeError) as error:  # IndexError: there is no file, and it could not be downloaded
        deepbooru.model.model = None  # otherwise the WebUI takes the empty model for a loaded one from now on
        raise HostError("DeepBooru's weights could not be downloaded or read. Connect to the internet once, "
                        "or put model-resnet_custom_v3.pt into models/torch_deepdanbooru.") from error
    try:
        for image in images:
            yield deepbooru.model.tag_multi(image, force_disable_ranks=True)
    finally:
        deepbooru.model.stop()


def clip_captions(images: Iterable[Any]) -> Iterator[str]:
    for image in images:
        text = shared.interrogator.interrogate(image)
        if text.endswith(FAILED):
            raise HostError("The WebUI's CLIP interrogator failed; the console says why. It downloads its weights "
                            "(BLIP, CLIP) "
                            "at first use, so connect to the internet once.")
        yield text.strip()
