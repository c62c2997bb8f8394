"""Whatever a picture, a caption or a model file holds: it is used, or left out in one sentence that names it."""

import io
import json
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from fuzz import few
from helpers import BASE
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file

from extension_lib.compare.tags import split_prompt
from extension_lib.config.run import Concept
from extension_lib.data.folder import find_pictures
from extension_lib.data.pictures import load_picture
from extension_lib.errors import DarkroomError
from extension_lib.export import embedding, hypernetwork, lora
from extension_lib.hosts.drawing import merging
from extension_lib.models.detect import require_trainable
from extension_lib.runs import state

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
LAYER = "lora_unet_mid_block_attentions_0_proj_in"


@contextmanager
def one_sentence(name):
    """Within, what cannot be read is said in a line or two that name the file."""
    try:
        yield
    except DarkroomError as error:
        said = str(error)
        assert "Traceback" not in said and "weights_only" not in said and len(said) < 2000, said
        assert name in said, said


def encoded(kind):
    """A small picture of random colours in this format."""
    pixels = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


def saved(write):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.safetensors"
        write(path)
        return path.read_bytes()


def lora_file(path):
    down, up = torch.randn(2, 32, 1, 1), torch.randn(32, 2, 1, 1)
    save_file({f"{LAYER}.lora_down.weight": down, f"{LAYER}.lora_up.weight": up, f"{LAYER}.alpha": torch.tensor(2.0)},
              path)


PICTURES = {kind: encoded(kind) for kind in FORMATS}
LORA, WORD = saved(lora_file), saved(lambda path: save_file({"emb_params": torch.randn(2, 64)}, path))
STATE = saved(lambda path: state.write_state(path, {"method": "lora", "step": 1, "lifetime": 1, "trained": {
    "a": torch.randn(3)}}))


@st.composite
def damaged(draw, held):
    """The file with some bytes changed, left out or added."""
    out = bytearray(held)
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, max(0, len(out) - 1)))
        if draw(st.booleans()):
            out[place:place + 1] = draw(st.binary(max_size=4))
        else:
            del out[place:place + draw(st.integers(0, len(out)))]
    return bytes(out)


@st.composite
def other_header(draw, held):
    """A safetensors file whose header says something else."""
    length = int.from_bytes(held[:8], "little")
    header = json.loads(held[8:8 + length])
    name = draw(st.sampled_from(sorted(header)))
    odd = st.none() | st.integers() | st.text(max_size=5) | st.lists(st.integers(-2, 2**40), max_size=4)
    if draw(st.booleans()):
        header[name] = draw(odd | st.dictionaries(st.sampled_from(["dtype", "shape", "data_offsets"]), odd))
    else:
        header[draw(st.text(max_size=8))] = header.pop(name)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + held[8 + length:]


@pytest.mark.parametrize("kind", FORMATS)
def test_a_damaged_picture_is_trained_or_named(kind):
    @few
    @given(damaged(PICTURES[kind]))
    def check(held):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"a.{kind.lower()}"
            path.write_bytes(held)
            with one_sentence(path.name):
                assert find_pictures(Concept(folder=folder)).items
            with one_sentence(path.name):
                assert load_picture(path).mode == "RGB"
    check()


@few
@given(st.binary(max_size=300) | st.text(max_size=100).map(lambda text: text.encode("utf-16", "surrogatepass")))
def test_any_bytes_beside_a_picture_are_a_caption_of_one_line_or_named(held):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "a.png").write_bytes(PICTURES["PNG"])
        (Path(folder) / "a.txt").write_bytes(held)
        with one_sentence("a."):
            for item in find_pictures(Concept(folder=folder)).items:
                assert "\n" not in item.prompt and "\r" not in item.prompt
                item.prompt.encode("utf-8")


READERS = {
    "lora": (LORA, ".safetensors", lora.read_adapter), "embedding": (WORD, ".safetensors", embedding.read_embedding),
    "embedding, pickle": (WORD, ".pt", embedding.read_embedding), "lora, pickle": (LORA, ".pt", lora.read_adapter),
    "hypernetwork": (WORD, ".pt", hypernetwork.read_hypernetwork), "state": (STATE, ".safetensors", state.read_state),
    "checkpoint": (LORA, ".safetensors", require_trainable)}


@pytest.mark.parametrize("kind", READERS)
def test_a_damaged_model_file_is_read_or_named(kind):
    held, suffix, read = READERS[kind]

    @few
    @given(damaged(held) | other_header(held) | st.binary(max_size=200))
    def check(changed):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"file{suffix}"
            path.write_bytes(changed)
            with one_sentence("file"):
                read(path)
    check()


def test_a_damaged_lora_leaves_the_weights_as_they_were(view):
    layers = view.layers()
    before = {layer.key: layer.module.weight.detach().clone() for layer in layers}

    @few
    @given(damaged(LORA) | other_header(LORA))
    def check(changed):
        tag, = split_prompt("<lora:file:1>")[1]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "file.safetensors"
            path.write_bytes(changed)
            with one_sentence("file"), merging.merged_into_weights(layers, [(path, tag)]):
                pass
        assert all(torch.equal(before[layer.key], layer.module.weight) for layer in layers)
    check()


def test_a_checkpoint_s_first_bytes_may_be_anything():
    start = BASE.read_bytes()[:200_000]

    @few
    @given(damaged(start))
    def check(changed):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "file.safetensors"
            path.write_bytes(changed)
            with one_sentence("file"):
                require_trainable(path)
    check()
