"""Counting tensors that are alive, and computing with shapes alone."""

import torch
import torch.nn.functional as F

from extension_lib.models.shapes import weightless
from extension_lib.support.forms import KNOWN, Form, RememberedForms
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


def test_an_operation_on_meta_is_worked_out_once_and_a_view_stays_a_view():
    x, norm = torch.empty(4, 8, 6, device=META, dtype=torch.float16).transpose(1, 2), torch.nn.GroupNorm(2, 6)
    plain = [F.silu(x), x.half() * 2.0, x * torch.ones(6, device=META)[:, None], *x.max(1), x.reshape(2, 2, -1)]
    with weightless([norm]), RememberedForms():
        for _ in range(2):
            found = [F.silu(x), x.half() * 2.0, x * torch.ones(6, device=META)[:, None], *x.max(1), x.reshape(2, 2, -1)]
            assert [Form.of(t) for t in found] == [Form.of(t) for t in plain]
            known = len(KNOWN)
            norm(x.float()).sum().backward()
        assert len(KNOWN) == known
        with LiveTensors() as live:
            seen = x.contiguous()
            views = seen.flatten(), seen.view(-1), torch.ops.aten._unsafe_view(seen, [2, -1])
            assert live.now() == x.numel() * 2 and len(views) == 3


def test_on_meta_what_was_filled_with_zeros_last_holds_nothing_else():
    with OnMeta(torch.float32, torch.device("cpu")) as mode, mode.zeros:
        zero, drawn = torch.nn.Parameter(torch.zeros(4, 4, device=META)), torch.zeros(4, device=META).normal_()
        cleared = torch.nn.init.zeros_(torch.empty(4)).to(META).half()
        written = torch.zeros(4, 4, device=META)
        written[1].fill_(1.0)
    with mode:
        assert [bool(tensor.any()) for tensor in (zero, drawn, cleared, written)] == [False, True, False, True]
