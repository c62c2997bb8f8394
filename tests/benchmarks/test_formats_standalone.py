"""The matrix of files and loaders: those that can be had here read what they should, and each refusal has a way out."""

import json
import os

import pytest
import torch
from helpers import ROOT
from safetensors.torch import save_file

from benchmarks import formats, loaders
from extension_lib.files.base import opened_checkpoint
from extension_lib.methods.adapter import BIAS

HERE = [name for name in loaders.LOADERS if name not in loaders.NEEDS or os.environ.get(loaders.NEEDS[name])]


@pytest.fixture(scope="module")
def found():
    return json.loads((ROOT / "docs" / "formats.json").read_text(encoding="utf-8"))


def test_the_page_has_the_tables_of_the_measured_cells(found, monkeypatch, tmp_path):
    written, page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8"), tmp_path / "formats.md"
    page.write_text(written, encoding="utf-8")
    monkeypatch.setattr(formats, "PAGE", page)
    formats.write_page(found)
    assert page.read_text(encoding="utf-8") == written


def test_every_loader_is_named_with_its_version_and_every_refusal_with_its_way_out(found):
    text = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    assert all(found[name]["version"] and found[name]["version"] in text for name in found)
    assert "→ none" not in text


def test_a_plain_lora_is_read_by_every_loader_in_every_family(found):
    for name in found:
        for family in formats.FAMILIES:
            said = formats.worst(found, name, "lora", family, "fp32")
            assert said is None or formats.is_right(said, "fp32"), (name, family, said)


@pytest.mark.parametrize("loader", [name for name in HERE if name in ("diffusers", "lycoris")])
@pytest.mark.parametrize("family", formats.FAMILIES.values())
def test_what_a_loader_adds_is_what_the_file_says(tiny, tmp_path, loader, family):
    """On one layer of each part, and with one that it does not know: the comparison sees both."""
    with opened_checkpoint(tiny(family)) as base, torch.no_grad():
        from extension_lib.files import keys

        chosen = [next(key for key, leaf in base.places if key.endswith(end) and leaf == "weight")
                  for end in ("attn1_to_q", "encoder_layers_0_mlp_fc1")]
        tensors: dict[str, torch.Tensor] = {}
        for key in chosen:
            shape = base.shape(key)
            name = keys.file_key(key, base.family)
            tensors |= {f"{name}.lora_down.weight": torch.randn(2, shape[1]), f"{name}.alpha": torch.tensor(1.0),
                        f"{name}.lora_up.weight": torch.randn(shape[0], 2)}
        save_file(tensors, tmp_path / "a.safetensors")
        load = loaders.LOADERS[loader]()
        should = loaders.wanted(tmp_path / "a.safetensors", base)
        for strength in (1.0, 0.5):
            added = load(base, tmp_path / "a.safetensors", strength)
            scaled = {key: delta * strength for key, delta in should.items()}
            assert loaders.largest_difference(added, scaled)[0] < 1e-5
        more = {**should, chosen[0] + BIAS: torch.ones(3)}
        assert loaders.largest_difference(load(base, tmp_path / "a.safetensors", 1.0), more) == (1.0, chosen[0] + BIAS)
