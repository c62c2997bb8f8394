"""The command line: the same work without a page."""

import json
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
from helpers import TOYLAND, draw_pictures
from PIL import Image

from extension_lib import __main__ as cli
from extension_lib.commands import drawing, files, serving, studio, training
from extension_lib.host import Checkpoint
from extension_lib.models.detect import kind_of
from extension_lib.setup.practice import PracticeError

TOML = """
output.name = "ghost"
base.checkpoint = "toyland"
training = {steps = 3, batch_size = 2}
previews = {preview_every = 0, card = false}
[[concepts]]
folder = "pictures"
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(studio, "HOME", tmp_path / "studio")
    draw_pictures(tmp_path / "pictures")
    (tmp_path / "run.toml").write_text(TOML, encoding="utf-8")
    return tmp_path


def steps_of(home):
    path = home / "studio" / "workspaces" / "ghost" / "runs" / "0001" / "events.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if '"step"' in line.split(",")[0]]


def test_train_draw_and_compare(home, capsys):
    assert cli.main(["train", str(home / "run.toml"), "--training.steps", "2", "--method.rank=3"]) == 0
    assert "All 2 steps are done" in capsys.readouterr().out and len(steps_of(home)) == 2
    out = home / "drawn.png"
    small = ["--steps", "2"]
    assert cli.main(["draw", "a zwx ghost <lora:ghost:1>", *small, "--out", str(out)]) == 0
    assert Image.open(out).size == (64, 64)
    grid = home / "grid.png"
    assert cli.main(["compare", "a zwx ghost", "--lora", "ghost", "--weights", "0,1", *small,
                     "--out", str(grid)]) == 0
    assert Image.open(grid).width > 256


def test_what_is_left_out_suits_the_checkpoint():
    here = SimpleNamespace(current=lambda: Checkpoint("toyland", TOYLAND / "base.safetensors"), kind=kind_of)
    given = cli.parser().parse_args(["draw", "a ghost", "--steps", "3"])
    made = drawing.picture(given, here)
    assert (made.width, made.height, made.cfg, made.steps, made.sampler) == (64, 64, 2.0, 3, "Euler")


@pytest.mark.parametrize("out, said", [
    ("nowhere/a.png", "There is no folder"), ("a", "Call it a.png"), ("a.txt", "Call it a.png")])
@pytest.mark.parametrize("command", [["draw"], ["compare", "--lora", "ghost"]])
def test_where_no_picture_can_be_written_is_said_before_one_is_drawn(home, capsys, monkeypatch, command, out, said):
    monkeypatch.setattr(studio, "host", lambda: pytest.fail("it went on"))
    assert cli.main([*command, "a ghost", "--out", str(home / out)]) == 2
    assert said in capsys.readouterr().err


def test_a_used_workspace_is_not_overwritten_unasked(home, capsys):
    assert cli.main(["train", str(home / "run.toml")]) == 0
    assert cli.main(["train", str(home / "run.toml")]) == 2
    said = capsys.readouterr().err
    assert "ghost was trained before" in said and "  --start restart-version: Start over and save as ghost-v2" in said
    assert cli.main(["train", str(home / "run.toml"), "--start", "restart-version"]) == 0
    assert (home / "studio" / "loras" / "ghost-v2.safetensors").exists()
    assert cli.main(["train", str(home / "run.toml"), "--start", "anyhow"]) == 2
    assert "'anyhow' is not a way to start. Use one of continue-overwrite" in capsys.readouterr().err


@pytest.mark.parametrize("arguments, said", [
    (["--training.steps", "many"], "training.steps is 'many', but must be a number"),
    (["--training.speed", "1"], "training.speed is not a setting"), (["--steps", "1"], "--steps is not a setting"),
    (["--output.again", "over"], "--output.again is no longer a setting. Use --start"),
    (["--training.steps"], "--training.steps has no value"), (["--output.name", "../ghost"], "../ghost"),
    (["--base.checkpoint", "nothing"], "There is no checkpoint 'nothing'")])
def test_what_cannot_be_is_one_sentence(home, capsys, arguments, said):
    assert cli.main(["train", str(home / "run.toml"), *arguments]) == 2
    assert said in capsys.readouterr().err


def test_folders_are_relative_to_the_file_that_names_them_or_to_the_user_s_own(home, monkeypatch):
    def folders(pictures, others):
        path = home / "run.toml"
        path.write_text(TOML.replace('"pictures"', f'"{pictures}"\nclass_folder = "{others}"'), encoding="utf-8")
        concept, = training.read_run(path, {}, studio.host()).concepts
        return concept.folder, concept.class_folder

    monkeypatch.setenv("HOME", str(home / "me"))
    monkeypatch.setenv("USERPROFILE", str(home / "me"))
    assert folders("pictures", "others") == (str(home / "pictures"), str(home / "others"))
    assert folders("~/pictures", "/others") == (str(home / "me" / "pictures"), "/others")


@pytest.mark.parametrize("text, said", [
    ("base = 3", "base must be a section"), ("method = 'lora'", "method must be a section"),
                                        ("concepts = 'here'", "concepts must be a list")])
def test_a_file_that_is_no_run_is_one_sentence(home, capsys, text, said):
    (home / "run.toml").write_text(text, encoding="utf-8")
    assert cli.main(["check", str(home / "run.toml")]) == 2 and said in capsys.readouterr().err
    assert cli.main(["check", str(home)]) == 2 and "is not a readable TOML file" in capsys.readouterr().err


def test_a_refusal_prints_no_traceback_and_a_crash_does_not_hide_one(home, capsys, caplog, monkeypatch):
    def fail_with(error):
        def install(folder):
            raise error

        monkeypatch.setattr(files, "install", install)
        return cli.main(["practice", str(home)]), capsys.readouterr().err

    status, said = fail_with(PracticeError("There is no folder."))
    assert (status, said.strip()) == (2, "There is no folder.") and not caplog.text
    status, said = fail_with(KeyError("tokens"))
    assert status == 1 and "practice failed: 'tokens'." in said
    assert "Traceback" in caplog.text and "in install" in caplog.text


def test_weights_that_are_none_are_one_sentence(home, capsys):
    (home / "studio" / "loras").mkdir(parents=True)
    (home / "studio" / "loras" / "ghost.safetensors").touch()
    assert cli.main(["compare", "a", "--lora", "ghost", "--weights", "much"]) == 2
    assert "'much' are not numbers" in capsys.readouterr().err


def test_every_setting_is_listed(capsys):
    from extension_lib.config.run import all_sections
    from extension_lib.settings import options

    assert cli.main(["settings"]) == 0
    listed = capsys.readouterr().out
    for section, cls in all_sections().items():
        assert f"[{section}]" in listed and all(f"  {o.name} = " in listed for o in options(cls))


def test_the_practice_model_is_installed_into_a_webui(tmp_path):
    folder = tmp_path / "模型 Stable-diffusion"
    folder.mkdir()
    assert cli.main(["practice", str(folder)]) == 0
    names = {path.name for path in folder.iterdir()}
    assert names == {"toyland.safetensors", "toyland.yaml", "toyland.darkroom.toml", "toyland-text"}
    assert json.dumps(str(folder / "toyland-text")) in (folder / "toyland.yaml").read_text(encoding="utf-8")


def test_plan_says_how_much_memory_is_taken_for_what(home, capsys):
    assert cli.main(["plan", str(home / "run.toml"), "--data.resolution", "64"]) == 0
    said = capsys.readouterr().out
    assert "MiB of memory, and" in said and "MiB What is trained" in said


def test_check_says_what_would_be_trained_and_what_is_wrong(home, capsys):
    at_64 = ["--data.resolution", "64"]
    assert cli.main(["check", str(home / "run.toml"), *at_64]) == 0
    said = capsys.readouterr().out
    assert "5 pictures, 5 showings and 3 steps in an epoch" in said and "0.png: a zwx ghost" in said
    assert "MiB of memory, and" in said and "MiB Checkpoint" in said
    (home / "pictures" / "bad.png").write_bytes(b"no picture")
    assert cli.main(["check", str(home / "run.toml"), *at_64]) == 1
    assert "bad.png cannot be read" in capsys.readouterr().out


@pytest.mark.parametrize("arguments, said", [
    (["--output.name", ""], "is empty. Type one"),
    (["--base.checkpoint", "nothing"], "There is no checkpoint 'nothing'"),
    (["--prior.preserve", "true"], "a concept has no class prompt"),
    (["--method.name", "textual_inversion", "--output.name", "qvk"], "No picture's prompt contains the new word"),
    (["--method.name", "hypernetwork", "--saving.precision", "bf16"], "saving.precision is bf16")])
def test_check_refuses_what_train_refuses_and_writes_nothing(home, capsys, arguments, said):
    before = sorted(home.rglob("*"))
    assert cli.main(["check", str(home / "run.toml"), *arguments]) == 2 and said in capsys.readouterr().err
    assert sorted(home.rglob("*")) == before, "it writes nothing"
    assert cli.main(["train", str(home / "run.toml"), *arguments]) != 0 and said in "".join(capsys.readouterr())


def test_check_says_which_answer_train_will_need(home, capsys):
    assert cli.main(["train", str(home / "run.toml")]) == 0
    assert cli.main(["check", str(home / "run.toml"), "--data.resolution", "64"]) == 0
    assert "  train --start continue-version: Continue after step 3" in capsys.readouterr().out


def test_check_counts_the_pictures_that_training_reads(home, capsys):
    path = home / "pictures" / "0.png"
    path.write_bytes(path.read_bytes()[:300])  # its header is whole
    assert cli.main(["check", str(home / "run.toml"), "--data.resolution", "64"]) == 1
    said = capsys.readouterr().out
    assert "4 pictures, 4 showings and 2 steps in an epoch" in said and "0.png cannot be read" in said


def test_names_that_a_file_s_encoding_lacks_end_no_run(home):
    (home / "pictures" / "猫.png").write_bytes(b"none")
    command = [sys.executable, "-m", "extension_lib", "train", str(home / "run.toml"), "--training.steps", "1"]
    done = subprocess.run(command, capture_output=True, cwd=TOYLAND.parent,
                          env={**os.environ, "PYTHONIOENCODING": "cp1252", "DARKROOM_HOME": str(home / "studio")})
    assert done.returncode == 0 and b"All 1 steps are done" in done.stdout and b"\\u732b.png" in done.stdout


def run_and_hang_up(home, *arguments):
    """Runs a command whose reader goes away before it has said anything; its status and what stands on stderr."""
    running = subprocess.Popen([sys.executable, "-m", "extension_lib", *arguments], cwd=TOYLAND.parent,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env={**os.environ, "DARKROOM_HOME": str(home / "studio")})
    running.stdout.close()
    said = running.stderr.read().decode("utf-8")
    running.stderr.close()
    return running.wait(), said


def test_a_reader_that_goes_away_ends_neither_a_list_nor_a_run(home):
    assert run_and_hang_up(home, "settings") == (0, "")
    status, said = run_and_hang_up(home, "train", str(home / "run.toml"))
    assert status == 0 and "Traceback" not in said and "Broken" not in said
    assert (home / "studio" / "loras" / "ghost.safetensors").exists()


def test_a_seed_of_minus_one_is_a_new_one_which_is_told(home, capsys):
    def drawn(seed):
        assert cli.main(["draw", "a ghost", "--steps", "1", "--seed", str(seed), "--out", str(home / "a.png")]) == 0
        return capsys.readouterr().out.splitlines()[0], (home / "a.png").read_bytes()

    said, picture = drawn(-1)
    assert said.startswith("Seed ") and drawn(said.removeprefix("Seed "))[1] == picture
    assert drawn(-1)[0] != said


@pytest.mark.parametrize("arguments, said", [
    (["--width", "100"], "The width is 100, but must be a multiple of 8 up to 4096. Use 104."),
    (["--steps", "0"], "steps is 0"), (["--cfg", "nan"], "CFG scale is nan"), (["--seed", "-2"], "seed is -2"),
    (["--height", "1" + "0" * 30], "Use 4096")])
@pytest.mark.parametrize("command", [["draw"], ["compare", "--lora", "ghost"]])
def test_a_picture_that_cannot_be_drawn_is_one_sentence(home, capsys, command, arguments, said):
    (home / "studio" / "loras").mkdir(parents=True)
    (home / "studio" / "loras" / "ghost.safetensors").touch()
    assert cli.main([*command, "a ghost", *arguments, "--out", str(home / "a.png")]) == 2
    told = capsys.readouterr().err
    assert said in told and len(told.splitlines()) == 1


@pytest.mark.parametrize("text, said", [
    ("[[concepts]]\nfolder = true", "concepts.folder is True, but must be text"),
    ("a = " + "[" * 5000, "not a readable TOML file"), ("training.steps = " + "9" * 5000, "not a readable TOML file"),
    ("training.steps = inf", "must be a number|finite"), ("training.steps = [1]", "must be a number"),
    ("output.name = {a = 1}", "must be text"), ("method.name = true", "must be text"), ("output = 1", "section"),
    ("concepts = [1]", "section")])
def test_values_that_no_one_means_are_one_sentence(home, capsys, text, said):
    (home / "run.toml").write_text(text, encoding="utf-8")
    assert cli.main(["train", str(home / "run.toml")]) == 2
    told = capsys.readouterr().err
    assert re.search(said, told) and len(told.splitlines()) == 1 and len(told) < 500


@pytest.mark.parametrize("arguments", [
    ["--training.steps", "9" * 5000], ["--output.name", "\udcff"], ["--output.name", "a\0b"],
    ["--concepts.folder", "x"], ["--concepts", "x"], ["--method", "1"], ["--", "--"], ["--.", "1"], ["x"],
    ["--training.seed", "1e400"]])
def test_arguments_that_no_one_means_are_one_sentence(home, capsys, arguments):
    assert cli.main(["train", str(home / "run.toml"), *arguments]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_other_machines_are_asked_for_a_password(capsys):
    def login(*arguments):
        return serving.login(cli.parser().parse_args(["app", *arguments]))

    assert login() is None
    made = login("--listen")
    assert capsys.readouterr().out == f"Log in as darkroom with the password {made.password}\n"
    assert len(made.password) >= 16 and login("--listen").password != made.password
    assert login("--listen", "--auth", "ghost:a long: word").password == "a long: word"
    assert login("--auth", "ghost:a long word").user == "ghost"


@pytest.mark.parametrize("arguments, said", [
    (["--auth", "ghost"], "--auth must be USER:PASSWORD"), (["--auth", ":a long word"], "USER:PASSWORD"),
    (["--auth", "ghost:short"], "8 or more"), (["--port", "70000"], "--port is 70000"),
    (["--folder", "/nowhere/at all"], "There is no folder")])
def test_how_the_page_cannot_be_served_is_one_sentence(home, capsys, arguments, said):
    assert cli.main(["app", *arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("arguments, named", [
    ([], None), (["--listen"], ()), (["--folder", "pictures"], ("pictures",)),
    (["--listen", "--folder", "pictures"], ("pictures",))])
def test_the_owner_says_which_folders_the_page_may_read(home, monkeypatch, arguments, named):
    from extension_lib.ui import app

    served = []
    monkeypatch.setattr(app, "serve", lambda host, *rest: served.append(host.folders.named))
    monkeypatch.chdir(home)
    assert cli.main(["app", *arguments]) == 0
    assert served == [named if named is None else tuple(home / name for name in named)]


def test_a_sampler_that_is_not_there_is_one_sentence(home, capsys):
    assert cli.main(["draw", "a ghost", "--sampler", "Foo", "--out", str(home / "a.png")]) == 2
    assert "There is no sampler 'Foo' here" in capsys.readouterr().err
