"""A checkpoint file as a diffusers pipeline: what cannot be loaded is refused before anything is trained."""

import os
import subprocess
import sys

import pytest
from helpers import ROOT

from extension_lib.host import HostError
from extension_lib.models import diffusers_pipeline


def test_a_tokenizer_without_its_vocabulary_is_refused(monkeypatch):
    from transformers import CLIPTokenizer

    class WithoutVocabulary(CLIPTokenizer):
        @classmethod
        def from_pretrained(cls, *args, **kwargs):
            return CLIPTokenizer()

    monkeypatch.setattr("transformers.CLIPTokenizer", WithoutVocabulary)
    with pytest.raises(HostError, match="2 tokens instead of 49408"):
        diffusers_pipeline.clip_tokenizer()


def test_an_empty_cache_without_a_network_is_refused(tmp_path):
    """In a process of its own: the hub's libraries read the environment once."""
    script = "from extension_lib.models.diffusers_pipeline import clip_tokenizer; clip_tokenizer()"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, encoding="utf-8",
                          env={**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"})
    assert done.returncode == 1 and "HostError: CLIP's tokenizer is not on this machine" in done.stderr
