"""A checkpoint file as a diffusers pipeline: what cannot be loaded is refused before anything is trained."""

import shutil

import pytest
import torch
from helpers import BASE

from extension_lib.host import HostError
from extension_lib.models.diffusers_pipeline import load_pipeline


def test_a_checkpoint_whose_tokenizer_has_no_vocabulary_is_refused(tmp_path):
    """transformers makes a tokenizer of two tokens of an empty folder, and says nothing."""
    shutil.copyfile(BASE, tmp_path / "base.safetensors")
    shutil.copytree(BASE.with_suffix(""), tmp_path / "base", ignore=shutil.ignore_patterns("vocab.json", "merges.txt"))
    with pytest.raises(HostError, match="tokens, but its text encoder knows 674"):
        load_pipeline(tmp_path / "base.safetensors", torch.float32)
