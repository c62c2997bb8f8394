"""What tests of jobs share."""

import pytest
import torch


@pytest.fixture
def host(tmp_path, view):
    """The standalone host with toyland's base, loaded once for all tests."""
    from extension_lib.host import chosen
    from extension_lib.hosts.standalone import Loaded, Standalone
    from toyland.train_base import alphas_cumprod

    made = Standalone(tmp_path / "工作 室")
    betas = 1 - alphas_cumprod() / torch.cat([torch.ones(1), alphas_cumprod()[:-1]])
    made.ready = Loaded(chosen(made, "toyland"), view, betas)
    return made
