"""Blocks that wait in the system's memory: the same gradients, and never more than two on the device."""

import pytest
import torch
from eager import method_of
from torch.multiprocessing.reductions import StorageWeakRef

from extension_lib.config.run import from_dict, merge_values, require_startable
from extension_lib.methods.base import NewWord
from extension_lib.models import offload
from extension_lib.settings import SettingError
from extension_lib.support.seeds import seeded_torch
from extension_lib.training.checkpointing import gradient_checkpointing

METHODS = ("locon", "oft", "glora", "norm", "hypernetwork", "textual_inversion")  # each uses a layer in another way


def gradients(model, name, steps=1, between=lambda moment: None):
    """Of what is trained, after its last step."""
    trainable = method_of(name).attach(model, 0, (NewWord("zwx", "ghost"),))
    learned = [p for group in trainable.groups() for p in group.parameters]
    with seeded_torch("values", devices=[]), torch.no_grad():
        for p in learned:
            p.add_(torch.randn(p.shape) * 0.01)
    noisy, t = torch.linspace(-1, 1, 4 * 8 * 8).view(1, 4, 8, 8), torch.tensor([500])
    with gradient_checkpointing(model, True), seeded_torch("step"):
        for _ in range(steps):
            loss = model.predict(noisy, t, model.encode_prompts(["a zwx"])).square().mean()
            between("forward")
            loss.backward()
            between("backward")
    trainable.detach()
    return [p.grad for p in learned]


def assert_same(found, expected):
    assert found and all((a is None) == (b is None) and (a is None or torch.equal(a, b))
                         for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("name", METHODS)
def test_gradients_are_bit_for_bit_those_of_a_model_on_the_device(model, name):
    expected = gradients(model, name)
    with model.offloaded():
        assert_same(gradients(model, name), expected)


def test_never_more_than_two_blocks_are_on_the_device_none_after_a_pass_and_each_comes_once_in_it(model, monkeypatch):
    made, begin = [], offload.Block.begin_copy

    def alive():
        return sum(not copy.expired() for copy in made)

    def counted(block, stream):
        had = block.copy is not None
        begin(block, stream)
        if not had:
            made.append(StorageWeakRef(block.copy.untyped_storage()))
        assert alive() <= 2

    def between(moment):
        assert alive() == 0
        counts.append(len(made))

    counts = []
    monkeypatch.setattr(offload.Block, "begin_copy", counted)
    with model.offloaded():
        gradients(model, "lora", steps=2, between=between)
    blocks = len(model.block_sizes())
    learning = counts[1] - blocks  # those behind the first adapter
    assert 0.8 * blocks < learning <= blocks
    assert counts == [blocks, blocks + learning, 2 * blocks + learning, 2 * blocks + 2 * learning]


def test_what_waits_is_not_fetched_with_the_rest_and_comes_back_as_it_was(model):
    def places():
        return [(p.device, p.stride()) for p in model.unet.parameters()]

    before = places()
    with model.offloaded():
        waiting = [p.data_ptr() for p in model.unet.parameters() if model.offload.has(p)]
        model.park("unet")
        model.fetch("unet")
        assert [p.data_ptr() for p in model.unet.parameters() if model.offload.has(p)] == waiting
        assert 0.5 < sum(model.block_sizes()) / model.sizes()["unet"] < 1
    assert places() == before


def test_a_method_that_trains_the_model_itself_is_refused():
    run = {"output": {"name": "a"}, "base": {"checkpoint": "b"}, "concepts": [{"folder": "c"}],
           "training": {"offload": True}}
    require_startable(from_dict(run))
    with pytest.raises(SettingError, match="DreamBooth trains them all"):
        require_startable(from_dict(merge_values(run, {"method": {"name": "dreambooth"}})))
