"""The second text encoder of Stable Diffusion XL: how fast it learns."""

import pytest
from eager import EAGER
from helpers import draw_pictures
from safetensors.torch import load_file

from extension_lib.config.run import from_dict
from extension_lib.host import find_checkpoint
from extension_lib.hosts.standalone import Standalone
from extension_lib.methods.dreambooth import Dreambooth
from extension_lib.runs.start import RESTART_OVERWRITE, start_run
from extension_lib.workspaces.workspace import create_workspace


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    return Standalone(tmp_path_factory.mktemp("studio"))


@pytest.fixture(scope="module")
def trained(host, tiny, tmp_path_factory):
    """Call with a method and its settings for the tensors that its file has after a run on a tiny SDXL."""
    pictures = draw_pictures(tmp_path_factory.mktemp("pictures") / "subject", 1)

    def train(method, **settings):
        name = f"{method}-{len(list(host.folders.workspaces.glob('*')))}"
        values = {"output": {"name": name}, "base": {"checkpoint": str(tiny("tiny-xl"))},
                  "concepts": [{"folder": str(pictures), "instance_prompt": "a zwx", "word": "zwx"}],
                  "method": {"name": method, **EAGER[method], **settings}, "data": {"resolution": 64},
                  "training": {"steps": 2, "batch_size": 1, "warmup": 0.0, "measure_every": 100},
                  "saving": {"precision": "fp32"}, "previews": {"card": False}}
        run = from_dict(values)
        job = start_run(run, host, create_workspace(host.folders.workspaces, name, run),
                        RESTART_OVERWRITE)
        ended = job.wait(300)
        assert ended and not ended.failed, ended
        return load_file(host.folders.lora / f"{name}.safetensors")

    return train


def part(tensors, start):
    found = {name: tensor for name, tensor in tensors.items() if name.startswith(start)}
    assert found
    return found


def same(one, other):
    return one.keys() == other.keys() and all(one[name].equal(other[name]) for name in one)


@pytest.mark.parametrize("method, first, second", [
    ("lora", "lora_te1_", "lora_te2_"),
    ("pivotal", "lora_te1_", "lora_te2_"),
])
def test_another_rate_of_the_second_text_encoder_changes_what_it_learns(trained, method, first, second):
    rate = {"text_rate": 1e-3, "unet_rate": 0.0}
    as_first, said, faster = (trained(method, **rate, text_rate_2=own) for own in (-1.0, 1e-3, 1e-2))
    assert same(as_first, said)
    assert not same(part(said, second), part(faster, second))
    assert part(said, first).keys() == part(faster, first).keys()


def test_the_second_text_encoder_can_be_left_as_it_is(trained):
    alone = trained("lora", text_rate=1e-3, text_rate_2=0.0)
    assert part(alone, "lora_te1_") and not any(name.startswith("lora_te2_") for name in alone)


def test_dreambooth_has_a_rate_for_each_text_encoder(host, tiny):
    with host.borrow(find_checkpoint(host, str(tiny("tiny-xl")))) as model:
        trainable = Dreambooth(unet_rate=0.0, text_rate=1e-6, text_rate_2=2e-6, text_share=0.5).attach(model, 0)
        try:
            assert [(g.name, g.rate, g.span) for g in trainable.groups()] == [
                ("te1", 1e-6, (0.0, 0.5)), ("te2", 2e-6, (0.0, 0.5))]
        finally:
            trainable.detach()
