"""The LDM view in half precision: what most people train in, here under the CPU's autocast."""

import pytest
import torch
from helpers import draw_pictures, losses, small_run, trained
from ldm_model import latent_diffusion

from extension_lib.events import Ended, Stepped
from extension_lib.families.sd1 import SD1
from extension_lib.methods import dreambooth
from extension_lib.models.frozen import frozen
from extension_lib.models.ldm_view import LdmView


def half_view(dtype):
    """All weights in half precision but the norms': CUDA's autocast casts those on the fly, the CPU's does not."""
    model = latent_diffusion()
    model.model.to(dtype)
    model.cond_stage_model.to(dtype)
    for module in model.modules():
        if isinstance(module, (torch.nn.GroupNorm, torch.nn.LayerNorm)):
            module.float()
    return LdmView(model, torch.device("cpu"), dtype, SD1)


@pytest.fixture(scope="module")
def full_precision(view, tmp_path_factory):
    """A run and its losses in full precision."""
    run = small_run(draw_pictures(tmp_path_factory.mktemp("full")), training={"steps": 10, "batch_size": 1})
    with frozen(view.unet, *view.text_models, view.vae):
        events, trainable = trained(view, run)
        trainable.detach()
        view.unpark()
    return run, losses(events)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_ten_losses_are_near_those_of_full_precision(full_precision, dtype):
    run, full = full_precision
    view = half_view(dtype)
    with frozen(view.unet, *view.text_models, view.vae):
        events, trainable = trained(view, run)
        assert all(p.dtype == torch.float32 for group in trainable.groups() for p in group.parameters)
        trainable.detach()
    assert losses(events) == pytest.approx(full, rel=0.02)


def test_dreambooth_learns_in_masters_and_gives_the_halves_back(pictures, monkeypatch):
    view = half_view(torch.bfloat16)
    with frozen(view.unet, *view.text_models, view.vae):
        run = small_run(pictures, method={"name": "dreambooth", "unet_rate": 1e-4, "ema": 0.9})
        events, trainable = trained(view, run)
        masters = [p for group in trainable.groups() for p in group.parameters]
        assert not events[-1].failed and all(p.dtype == torch.float32 for p in masters)

        last = [master.clone() for master in masters]
        average = {name: value.clone() for name, value in trainable.file_tensors().items()}
        with trainable.as_saved():
            assert all(torch.equal(w.parameter, average[w.name].to(w.parameter.dtype)) for w in trainable.weights)
        assert all(map(torch.equal, masters, last))
        assert all(torch.equal(value, average[name]) for name, value in trainable.file_tensors().items())
        assert all(torch.equal(w.parameter, trainable.masters[w.name].to(w.parameter.dtype)) for w in trainable.weights)
        trainable.detach()

        calls = []
        monkeypatch.setattr(dreambooth, "fp32_master", lambda parameter: calls.append(1) or 1 / (len(calls) < 9))
        with pytest.raises(ZeroDivisionError):
            small_run(pictures, method={"name": "dreambooth"}).method.attach(view, 0)
        attached = any(w.parameter.requires_grad for w in view.weights())
        assert not attached, "nothing hangs on a model that could not be attached to"


def test_an_overflow_in_fp16_is_skipped_and_counted(pictures, monkeypatch):
    view = half_view(torch.float16)
    predict, calls = view.predict, []

    def overflowing(noisy, t, condition):
        calls.append(1)
        return predict(noisy, t, condition) * (1e30 if len(calls) == 3 else 1)

    monkeypatch.setattr(view, "predict", overflowing)
    with frozen(view.unet, *view.text_models, view.vae):
        events, trainable = trained(view, small_run(pictures, training={"steps": 6}))
        trainable.detach()
    assert [e.skipped for e in events if isinstance(e, Stepped)] == [False, False, True, False, False, False]
    assert isinstance(events[-1], Ended) and not events[-1].failed
