"""Counting tensors that are alive, and computing with shapes alone."""

import torch
import torch.nn.functional as F

from extension_lib.models.shapes import weightless
from extension_lib.support.live import LiveTensors
from extension_lib.support.meta import META, OnMeta

KIB = 1024


def test_a_storage_counts_once_while_it_is_alive_and_what_was_there_before_does_not():
    before = torch.ones(KIB)
    with LiveTensors() as live:
        seen = before.view(2, -1)
        made = seen * 2
        also = made[0]
        assert live.now() == 4 * KIB
        del made
        assert live.now() == 4 * KIB
        del also
        assert live.now() == 0
    assert live.highest == 4 * KIB


def test_attention_on_meta_keeps_no_matrix_of_all_pairs():
    q = torch.empty(1, 2, KIB, 8, device=META, requires_grad=True)
    with OnMeta(torch.float32, torch.device("cpu")), LiveTensors() as live:
        out = F.scaled_dot_product_attention(q, q, q)
        out.sum().backward()
    assert out.shape == q.shape and q.grad.shape == q.shape
    assert live.highest < 2 * KIB * KIB


def test_on_meta_autocast_s_casts_are_made_and_kept_for_trained_weights():
    trained, frozen = (torch.empty(8, 8, device=META, requires_grad=grad) for grad in (True, False))
    with OnMeta(torch.float16, torch.device("cuda")) as mode, mode.caching():
        y = F.linear(F.linear(torch.empty(1, 8, device=META), trained), frozen)
        assert (y.dtype, F.layer_norm(y, (8,)).dtype) == (torch.float16, torch.float32)
        assert list(mode.cache) == [id(trained)]


def test_what_leaves_a_graphics_card_takes_no_room_there_and_more_of_the_main_memory():
    for device, room in (("cuda", 0), ("cpu", 4 * KIB)):
        with OnMeta(torch.float32, torch.device(device)), LiveTensors() as live:
            held = torch.empty(KIB, device=META)
            first = live.now()
            copied = held.to("cpu", copy=True)
            assert copied.is_meta and live.now() - first == room


def test_a_model_without_weights_has_them_back_afterwards():
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.BatchNorm1d(4))
    tensors = [*model.parameters(), *model.buffers()]
    with weightless([model]):
        assert all(t.is_meta for t in (*model.parameters(), *model.buffers()))
    assert all(a is b for a, b in zip(tensors, (*model.parameters(), *model.buffers())))
