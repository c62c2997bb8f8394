"""What a prompt can call, and how."""

from pathlib import Path

import pytest
from compare.test_axes import FOLDERS, write

from extension_lib.compare.series import LAST, Series, find_series
from extension_lib.export.header import method_in_header
from extension_lib.host import Folders


def series(kind="lora", name="ghost", steps=("100", LAST), words=()):
    made = Series(kind, name, tuple((step, Path(f"{name}.safetensors")) for step in steps))
    made.__dict__["metadata"] = {"darkroom_words": str(list(words)).replace("'", '"')}
    return made


@pytest.mark.parametrize("one, prompt, step, weight, called", [
    (series(), "a ghost", LAST, 0.5, "a ghost <lora:ghost:0.5>"),
    (series(), "a ghost", "100", 1, "a ghost <lora:ghost-000100:1>"),
    (series(), "a ghost", "100", 0, "a ghost"),
    (series("hypernetwork"), "a ghost", "100", 1, "a ghost <hypernet:ghost-000100:1>"),
    (series(name="robot", words=["zwx"]), "a zwx robot", "100", 0.5, "a zwx-000100 robot <lora:robot-000100:0.5>"),
    (series(name="robot", words=["zwx"]), "a zwx robot", "100", 0, "a robot"),
    (series("embedding", "zwx"), "a zwx ghost", "100", 1, "a zwx-000100 ghost"),
    (series("embedding", "zwx"), "a zwx ghost", LAST, 0.5, "a (zwx:0.5) ghost"),
    (series("embedding", "zwx"), "a zwx ghost", LAST, 0, "a ghost"),
    (series("embedding", "zwx"), "a ghost", LAST, 1, "a ghost, zwx")])
def test_each_kind_is_called_in_its_own_way(one, prompt, step, weight, called):
    assert one.prompt_for(prompt, step, weight) == called


def test_copies_stand_in_the_order_of_their_steps_beside_their_own_file_only(tmp_path):
    for name in ("ghost", "ghost-000500", "ghost-000050", "ghosts", "ghost-v2", "other-000050"):
        write(tmp_path / "lora" / f"{name}.safetensors")
    by_name = {one.name: one.steps for one in find_series(Folders(*(tmp_path / name for name in FOLDERS)))}
    assert by_name == {"ghost": ("50", "500", LAST), "ghosts": (LAST,), "ghost-v2": (LAST,), "other": ("50",)}


@pytest.mark.parametrize("header, method", [
    ({"darkroom_method": "dylora", "ss_network_module": "networks.lora"}, "dylora"),
    ({"ss_network_module": "networks.lora"}, "lora"),
    ({"ss_network_module": "networks.lora", "ss_network_args": '{"conv_dim": "4"}'}, "locon"),
    ({"ss_network_module": "lycoris.kohya", "ss_network_args": '{"algo": "diag-oft"}'}, "oft"),
    ({"ss_network_module": "lycoris.kohya", "ss_network_args": '{"algo": "tlora"}'}, "tlora"),
    ({"ss_network_args": "not JSON"}, ""), ({}, "")])
def test_a_file_s_method_is_read_off_its_header_ours_or_kohya_s(header, method):
    assert method_in_header(header) == method
