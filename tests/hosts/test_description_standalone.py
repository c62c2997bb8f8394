"""The .yaml that the WebUI needs to draw with a checkpoint that predicts v."""

from dataclasses import replace

import pytest
import yaml

from extension_lib.families.prediction import Prediction
from extension_lib.host import Checkpoint, HostError
from extension_lib.hosts.a1111.description import drawn_as_epsilon, path_beside, write_beside
from extension_lib.models.detect import kind_of, said_beside


@pytest.fixture
def marked(tiny, tmp_path):
    """A tiny SDXL that says v, without a .yaml; and the .yaml of one that predicts epsilon."""
    path = tmp_path / "noob.safetensors"
    path.write_bytes(tiny("tiny-xl-v").read_bytes())
    return Checkpoint("noob", path), tiny("tiny-xl").with_suffix(".yaml")


def test_it_is_the_webui_s_own_with_v_in_it_and_then_the_webui_draws_v(marked):
    checkpoint, known = marked
    assert drawn_as_epsilon(checkpoint, kind_of(checkpoint))
    written = yaml.safe_load(write_beside(checkpoint, known).read_text(encoding="utf-8"))
    assert said_beside(path_beside(checkpoint)) == "v" and not drawn_as_epsilon(checkpoint, kind_of(checkpoint))
    own = yaml.safe_load(known.read_text(encoding="utf-8"))["model"]["params"]
    assert {name for name in own if written["model"]["params"][name] != own[name]} == {"denoiser_config"}


def test_one_that_is_there_is_not_overwritten(marked):
    checkpoint, known = marked
    path_beside(checkpoint).write_text("mine", encoding="utf-8")
    with pytest.raises(HostError, match="noob.yaml exists and is not overwritten"):
        write_beside(checkpoint, known)
    assert path_beside(checkpoint).read_text(encoding="utf-8") == "mine"


def test_what_predicts_epsilon_or_is_tried_out_by_the_webui_needs_none(tiny, marked):
    checkpoint, _ = marked
    epsilon = replace(checkpoint, prediction=Prediction("eps"))
    sd2 = Checkpoint("sd2", tiny("tiny-sd2"), prediction=Prediction("v"))
    assert not drawn_as_epsilon(epsilon, kind_of(epsilon)) and not drawn_as_epsilon(sd2, kind_of(sd2))
