"""Before the start it is said when the chosen optimiser is missing or cannot be had; a button adds its package."""

from dataclasses import replace

import pytest
import torch

from extension_lib.config.optimizers import OPTIMIZERS
from extension_lib.config.run import Run, Training
from extension_lib.runs.preflight import require_optimizer
from extension_lib.settings import SettingError
from extension_lib.setup import installation, optimizer_packages
from extension_lib.ui.panels import optimizer_row

CPU = torch.device("cpu")
ABSENT = replace(OPTIMIZERS["Lion"], made_by="no_such_module:Lion")


@pytest.mark.parametrize("name", ["AdamW", "Adafactor"])
def test_one_that_works_is_let_through_without_a_trace(name):
    state = torch.get_rng_state()
    require_optimizer(Run(training=Training(optimizer=name)), CPU)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_missing_package_is_named_with_the_way_to_it():
    with pytest.raises(SettingError, match="Lion needs the package lion-pytorch.*pip install lion-pytorch"):
        optimizer_packages.require_installed(ABSENT)


def test_paging_without_cuda_is_refused():
    with pytest.raises(SettingError, match="AdamW 8 bit paged needs an NVIDIA card, and this model is on cpu"):
        require_optimizer(Run(training=Training(optimizer="AdamW 8 bit paged")), CPU)


def test_a_package_that_does_not_work_here_is_refused(monkeypatch):
    monkeypatch.setitem(OPTIMIZERS, "Lion", replace(OPTIMIZERS["Lion"], made_by="torch.optim:NotThere"))
    with pytest.raises(SettingError, match="Lion does not work with the versions here .*NotThere"):
        require_optimizer(Run(training=Training(optimizer="Lion")), CPU)


@pytest.mark.parametrize("problem", ["lion-pytorch could not be added: no network", ""])
def test_the_button_adds_the_package_that_is_missing_and_says_what_went_wrong(monkeypatch, problem):
    monkeypatch.setitem(OPTIMIZERS, "Lion", ABSENT)
    about, button, _ = optimizer_row.show("Lion")
    assert "4 bytes" in about and button["visible"] and button["value"] == "Install lion-pytorch"
    asked = []
    monkeypatch.setattr(installation, "add", lambda packages: asked.extend(packages) or problem)
    monkeypatch.setattr(optimizer_packages, "is_installed", lambda kind: not problem)
    _, _, answer = optimizer_row.add("Lion")
    assert asked == ["lion-pytorch"] and (problem or "It is installed now") in answer


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_says_what_it_is_for(name):
    about, button, _ = optimizer_row.show(name)
    assert len(OPTIMIZERS[name].help) > 10 and "bytes" in about
    assert button["visible"] != optimizer_packages.is_installed(OPTIMIZERS[name])
