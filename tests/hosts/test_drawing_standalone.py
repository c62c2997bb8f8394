"""Drawing standalone: what lies beside the pictures neither stops nor outlasts it."""

from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from extension_lib.families.family import SINGLE_VECTORS as KEY
from extension_lib.families.prediction import Prediction
from extension_lib.host import HostError, Picture, find_checkpoint
from extension_lib.hosts.standalone import Standalone

SMALL = Picture("a ghost", steps=1, cfg=1.0, width=64, height=64)


@pytest.fixture
def host(tmp_path):
    made = Standalone(tmp_path)
    made.load(find_checkpoint(made, "toyland"))
    return made


def test_an_embedding_of_another_family_keeps_no_picture_from_being_drawn(host):
    host.folders.embeddings.mkdir()
    save_file({KEY: torch.zeros(1, 2048)}, host.folders.embeddings / "large.safetensors")
    assert host.draw([SMALL])[0].size == (64, 64)


@pytest.mark.parametrize("fails", [False, True])
def test_what_a_person_chose_for_a_run_is_predicted_in_that_run_alone(host, fails):
    chosen, view = replace(find_checkpoint(host, "toyland"), prediction=Prediction("v", True)), host.ready.view
    own = view.diffusion
    with pytest.raises(InterruptedError) if fails else nullcontext(), host.borrow(chosen):
        assert (view.diffusion.prediction, view.diffusion.zero_snr) == ("v", True)
        if fails:
            raise InterruptedError
    assert view.diffusion is own and own.prediction == "eps"


def test_what_was_off_the_device_is_off_it_again_when_a_picture_cannot_be_drawn(host, monkeypatch):
    moved = []
    with host.borrow(find_checkpoint(host, "toyland")) as view:
        view.park("vae")
        monkeypatch.setattr(view, "module_of", lambda part: SimpleNamespace(to=lambda device: moved.append(
            (part, device))))
        with pytest.raises(HostError, match="There is no lora gone"):
            host.draw([replace(SMALL, prompt="<lora:gone:1>")])
        assert moved == [("vae", view.device), ("vae", "cpu")] and view.parked == {"vae"}
        monkeypatch.undo()
