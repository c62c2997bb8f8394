"""Hypernetwork files of any content: what is none is refused in a sentence that names the file."""

import pytest
import torch

from extension_lib.export.hypernetwork import read_hypernetwork
from extension_lib.host import HostError
from extension_lib.hosts.drawing.merging import build_network
from extension_lib.methods.adapter import FormatError

STATE = {"linear.0.weight": torch.ones(8, 4), "linear.0.bias": torch.ones(8), "linear.1.weight": torch.ones(4, 8),
         "linear.1.bias": torch.ones(4)}
GOOD = {4: (STATE, STATE), "layer_structure": [1, 2, 1], "activation_func": "linear"}


def read(folder, content):
    torch.save(content, folder / "a.pt", _use_new_zipfile_serialization=False)
    return read_hypernetwork(folder / "a.pt")


def test_a_good_file_is_read(tmp_path):
    build_network(read(tmp_path, GOOD), 4, STATE)


@pytest.mark.parametrize("changes", [
    {4: torch.ones(2)}, {4: (STATE,)}, {4: ("a", "b")}, {4: ({"x": 1}, {"x": 1})}, {"layer_structure": 3},
    {"layer_structure": ["a"]}, {"activation_func": "none"}, {"dropout_structure": [0]}, {"dropout_structure": "x"}])
def test_what_is_no_hypernetwork_is_one_sentence(tmp_path, changes):
    with pytest.raises(FormatError, match="^a.pt is not"):
        read(tmp_path, {**GOOD, **changes})


@pytest.mark.parametrize("content", [b"", b"<html>", b"PK\x03\x04"])
def test_other_bytes_are_one_sentence(tmp_path, content):
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(FormatError, match="a.pt is not a readable hypernetwork: it is damaged"):
        read_hypernetwork(tmp_path / "a.pt")


@pytest.mark.parametrize("structure", [[1, 3, 1], [1], [1, -2, 1], [1, 1e12, 1], [float("nan"), 1], [float("inf"), 1]])
def test_tensors_that_do_not_fit_their_structure_are_one_sentence(tmp_path, structure):
    with pytest.raises((FormatError, HostError), match="hypernetwork"):
        build_network(read(tmp_path, {**GOOD, "layer_structure": structure, "dropout_structure": [0] * 3}), 4, STATE)
