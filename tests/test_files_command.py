"""The command `files`: every tool for LoRA files from the command line."""

import pytest
from adapters import file_of
from helpers import BASE

from extension_lib import __main__ as cli
from extension_lib.commands.tools import split_weight
from extension_lib.files.describe import describe
from extension_lib.files.layouts import LAYOUTS
from extension_lib.files.progress import finished

pytestmark = pytest.mark.once


def ran(*arguments):
    return cli.main(["files", *map(str, arguments)])


def test_each_tool_does_its_work(tmp_path, capsys):
    lora, out = file_of("lora"), tmp_path / "out.safetensors"
    assert ran("show", lora, "--picture", tmp_path / "p.svg") == 0
    assert "kind: LoRA" in capsys.readouterr().out and (tmp_path / "p.svg").read_text(encoding="utf-8")[:4] == "<svg"
    assert ran("check", lora, "--base", BASE) == 0 and "Nothing is wrong" in capsys.readouterr().out
    assert ran("add", f"{lora}:0.5", f"{file_of('oft')}:-1", "--base", BASE, "--out", out, "--precision", "fp32") == 0
    assert ran("blocks", lora, "IN01:0.5", "--out", tmp_path / "b.safetensors") == 0
    assert ran("scale", lora, "--by", "2", "--out", tmp_path / "s.safetensors") == 0
    assert ran("merge", f"{lora}:0.8", "--base", BASE, "--out", tmp_path / "m.safetensors", "--precision", "fp32") == 0
    capsys.readouterr()
    assert ran("extract", BASE, tmp_path / "m.safetensors", "--rank", "4", "--out", tmp_path / "x.safetensors") == 0
    assert "largest rank is 4" in capsys.readouterr().out
    assert ran("resize", out, "--energy", "0.9", "--out", tmp_path / "r.safetensors") == 0
    assert ran("convert", lora, "--to", "diffusers", "--precision", "fp16", "--out", tmp_path / "d.safetensors") == 0
    assert ran("edit", tmp_path / "d.safetensors", "--name", "e", "--words", "zwx", "--set", "mine=1") == 0
    found = finished(describe(tmp_path / "e.safetensors"))
    assert found.layout == "diffusers" and found.words == ["zwx"] and found.header["mine"] == "1"


@pytest.mark.parametrize("arguments, said", [
    (("show", "nothing.safetensors"), "There is no file"),
    (("resize", file_of("lora"), "--out", "x.safetensors"), "Give --rank, --energy or --error"),
    (("edit", file_of("lora"), "--set", "words"), "KEY=VALUE"),
    (("add", file_of("oft"), file_of("lora"), "--out", "x.safetensors"), "Name that checkpoint as the base"),
    (("add", file_of("lora"), "--blocks", "a", "--blocks", "b", "--out", "x.safetensors"), "--blocks is given 2 times"),
    (("convert", file_of("full"), "--to", "diffusers", "--out", "x.safetensors"), "Resize it to a rank first")])
def test_what_cannot_be_is_one_sentence(tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert ran(*arguments) == 2 and said in capsys.readouterr().err and list(tmp_path.iterdir()) == []


def test_a_file_is_not_replaced_unasked(tmp_path, capsys):
    out = tmp_path / "out.safetensors"
    out.write_bytes(b"mine")
    assert ran("scale", file_of("lora"), "--by", "2", "--out", out) == 2 and out.read_bytes() == b"mine"
    assert ran("scale", file_of("lora"), "--by", "2", "--out", out, "--overwrite") == 0 and out.stat().st_size > 100


def test_a_problem_that_is_found_is_the_exit_status(tmp_path, capsys):
    import torch
    from safetensors.torch import load_file, save_file

    tensors = load_file(file_of("lora"))
    tensors[next(name for name in tensors if "lora_up" in name)].fill_(torch.nan)
    save_file(tensors, tmp_path / "a.safetensors")
    assert ran("check", tmp_path / "a.safetensors") == 1 and "1 problems" in capsys.readouterr().out


def test_the_layouts_of_the_command_are_those_there_are():
    from extension_lib.commands import tools

    assert set(tools.LAYOUTS) == set(LAYOUTS)


@pytest.mark.parametrize("text, path, weight", [("a.safetensors:-0.5", "a.safetensors", -0.5), ("a", "a", 1.0),
                                                (r"C:\loras\a.pt", r"C:\loras\a.pt", 1.0)])
def test_a_weight_stands_behind_a_colon(text, path, weight):
    assert tuple(map(str, split_weight(text))) == (path, str(weight))
