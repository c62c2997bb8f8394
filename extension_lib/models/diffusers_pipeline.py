"""A checkpoint file as a diffusers pipeline, made without a network."""

import re
from pathlib import Path
from typing import Any

import torch

from ..host import HostError
from . import detect
from .clip_vocabulary import clip_tokenizer

SD1_CONFIG = Path(__file__).parent / "sd1"
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
        pipeline = StableDiffusionPipeline.from_single_file(path, config=str(own), **settings)
        require_whole_vocabulary(pipeline)
        return pipeline
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



def require_whole_vocabulary(pipeline: Any) -> None:
    """Raises HostError where the tokenizer is not the text encoder's.

    transformers 5 raises nothing when it finds no vocabulary: it returns a tokenizer of two tokens.
    """
    held, wanted = len(pipeline.tokenizer), pipeline.text_encoder.config.vocab_size
    if held != wanted:
        raise HostError(f"The checkpoint's tokenizer has {held} tokens, but its text encoder knows {wanted}. Put "
                        "vocab.json and merges.txt into the tokenizer folder beside the checkpoint.")
