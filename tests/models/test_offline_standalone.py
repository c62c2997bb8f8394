"""The whole way with a Stable Diffusion 1 file that brings no tokenizer: no network, and nothing in a cache."""

import json
import shutil
import socket

import pytest
import torch
from helpers import BASE, small_run
from safetensors.torch import load_file, save_file

from extension_lib.hosts.standalone import Standalone
from extension_lib.models import diffusers_pipeline
from extension_lib.models.clip_vocabulary import TOKENS
from extension_lib.runs.start import start_run, workspace_for


@pytest.fixture
def small_sd1(tmp_path, monkeypatch):
    """A studio with a checkpoint of toyland's sizes and CLIP's vocabulary; it stands for Stable Diffusion 1's own."""
    config = shutil.copytree(BASE.with_suffix(""), tmp_path / "configs" / "sd1",
                             ignore=shutil.ignore_patterns("tokenizer"))
    said = json.loads((config / "text_encoder" / "config.json").read_text(encoding="utf-8"))
    said |= {"vocab_size": TOKENS, "bos_token_id": TOKENS - 2, "eos_token_id": TOKENS - 1}
    (config / "text_encoder" / "config.json").write_text(json.dumps(said), encoding="utf-8")
    monkeypatch.setattr(diffusers_pipeline, "CONFIGS", config.parent)
    tensors = load_file(BASE)
    name = next(key for key in tensors if key.endswith("token_embedding.weight"))
    tensors[name] = torch.randn(TOKENS, tensors[name].shape[1], dtype=tensors[name].dtype) * 0.02
    host = Standalone(tmp_path / "studio")
    host.folders.checkpoints.mkdir(parents=True)
    save_file(tensors, host.folders.checkpoints / "small.safetensors")
    return host


def test_it_trains_with_clip_s_words(small_sd1, pictures, tmp_path, monkeypatch):
    def refused(*given, **more):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "empty"))
    run = small_run(pictures, base={"checkpoint": "small"}, training={"steps": 1})
    job = start_run(run, small_sd1, workspace_for(run, small_sd1))
    assert not job.wait(120).failed, job.ended.why
    tokens = small_sd1.tokens()
    assert tokens("a red ghost") == [320, 736, 7108] and tokens("a blue fish") == [320, 1746, 2759]
