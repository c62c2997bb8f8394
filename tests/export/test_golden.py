"""Every kind of adapter's file, held against what the WebUI's own network classes made of it in a real WebUI."""

import json
import os

import pytest
import torch
from adapters import FOLDER, WAYS, file_of, made
from safetensors.torch import load_file, save_file

pytestmark = pytest.mark.parametrize("way", WAYS)


def test_the_exporter_still_writes_the_same_file(model, way):
    tensors, _ = made(way, model)
    if os.environ.get("WRITE_GOLDEN"):
        FOLDER.mkdir(parents=True, exist_ok=True)
        save_file(tensors, file_of(way))
    golden = load_file(file_of(way))
    assert golden.keys() == tensors.keys()
    assert all(torch.allclose(golden[k].float(), tensors[k].float(), atol=1e-6) for k in golden)


def test_the_webui_s_loader_reads_what_was_trained(model, way):
    """The norms of its deltas, layer by layer, as tests/webui wrote them down."""
    _, deltas = made(way, model)
    golden = json.loads((FOLDER / "webui.json").read_text(encoding="utf-8"))[file_of(way).stem]
    assert golden.keys() == deltas.keys()
    for key, norm in golden.items():
        assert deltas[key].norm().item() == pytest.approx(norm, rel=1e-4), key
