"""A checkpoint file as a diffusers pipeline, made without a network."""

import re
from pathlib import Path
from typing import Any

import torch

from ..host import HostError
from . import detect

SD1_CONFIG = Path(__file__).parent / "sd1"
CLIP_TOKENIZER = "openai/clip-vit-large-patch14"
CLIP_VOCABULARY = 49408  # tokens
VELOCITY = re.compile(r"^\s*parameterization:\s*[\"']?v[\"']?\s*(#.*)?$", re.MULTILINE)


def load_pipeline(path: Path, dtype: torch.dtype) -> Any:
    """The file as a diffusers pipeline, without network. Raises HostError.

    A diffusers folder of the same stem beside the file holds its configuration; without one it is Stable Diffusion 1's
    own.
    """
    from diffusers import StableDiffusionPipeline

    detect.require_sd1(path)
    own = path.with_suffix("")
    settings: dict[str, Any] = {"torch_dtype": dtype, "local_files_only": True}
    if (own / "model_index.json").exists():
        return StableDiffusionPipeline.from_single_file(path, config=str(own), **settings)
    pipeline = StableDiffusionPipeline.from_single_file(path,
                                                        config=str(SD1_CONFIG),
                                                        tokenizer=clip_tokenizer(),
                                                        **settings)
    if predicts_velocity(path.with_suffix(".yaml")):
        config = {**pipeline.scheduler.config, "prediction_type": "v_prediction"}
        pipeline.scheduler = type(pipeline.scheduler).from_config(config)
    return pipeline


def predicts_velocity(described: Path) -> bool:
    """What the WebUI reads in the .yaml beside a checkpoint."""
    return described.exists() and VELOCITY.search(described.read_text(encoding="utf-8", errors="replace")) is not None


def clip_tokenizer() -> Any:
    """CLIP's tokenizer from the Hugging Face cache or hub. Raises HostError.

    transformers 5 raises nothing when it finds no vocabulary: it returns a tokenizer of two tokens.
    """
    from transformers import CLIPTokenizer

    try:
        tokenizer = CLIPTokenizer.from_pretrained(CLIP_TOKENIZER)
    except OSError as error:
        raise no_tokenizer(str(error)) from None
    if len(tokenizer) != CLIP_VOCABULARY:
        raise no_tokenizer(f"{len(tokenizer)} tokens instead of {CLIP_VOCABULARY}")
    return tokenizer


def no_tokenizer(reason: str) -> HostError:
    return HostError(f"CLIP's tokenizer is not on this machine and could not be downloaded ({reason}). Connect to the "
                     "internet "
                     f"once, or put {CLIP_TOKENIZER} into the Hugging Face cache.")
