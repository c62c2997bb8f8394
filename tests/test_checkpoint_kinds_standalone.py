"""What depends on the kind of checkpoint: where settings start, what is hidden, warned of and refused."""

import json
import re
from dataclasses import replace
from pathlib import Path

import gradio as gr
import pytest
from helpers import draw_pictures, write_trained_state
from safetensors.torch import save_file
from shown import Shown

from extension_lib import methods
from extension_lib.config import presets
from extension_lib.config.purposes import GPUS, PURPOSES
from extension_lib.config.run import Base, from_dict
from extension_lib.events import Warned
from extension_lib.families import FAMILIES
from extension_lib.families.kind import CheckpointKind
from extension_lib.families.prediction import CHOICES, Prediction
from extension_lib.host import Checkpoint, find_checkpoint
from extension_lib.hosts.standalone import Standalone
from extension_lib.models.detect import FIRST, MIDDLE, contradictions, kind_of
from extension_lib.runs.start import RESTART_OVERWRITE, start_run
from extension_lib.ui.page import Page
from extension_lib.ui.panels.import_panel import ImportPanel
from extension_lib.workspaces import workspace

V_ZERO = Prediction("v", True)


def kinds():
    return [CheckpointKind(family, prediction) for family in FAMILIES for prediction in CHOICES.values()]


# ---- where settings start

@pytest.mark.parametrize("method", methods.all_methods())
@pytest.mark.parametrize("kind", kinds(), ids=str)
def test_every_method_starts_at_the_family_s_resolution_whatever_the_purpose_and_the_card(method, kind):
    for purpose in ("", *PURPOSES):
        for gpu in ("", *GPUS):
            run = presets.defaults(method, None, purpose, gpu, kind)
            assert run.data.resolution == kind.family.resolution
            assert run.noise.weighting == ("none" if kind.prediction == V_ZERO else "min-snr")


def test_sdxl_s_text_encoders_stay_as_they_are_and_a_preset_goes_before(tmp_path):
    sdxl = CheckpointKind(FAMILIES[-1], None)
    for method, cls in methods.all_methods().items():
        assert presets.defaults(method, kind=sdxl).method.rates.get("te1", 0.0) == 0.0, cls
    (tmp_path / "own.toml").write_text("[data]\nresolution = 640\n", encoding="utf-8")
    assert presets.defaults("lora", tmp_path / "own.toml", kind=sdxl).data.resolution == 640


def test_without_a_known_family_the_start_is_the_method_s_own():
    assert presets.defaults("lora") == presets.defaults("lora", kind=CheckpointKind(FAMILIES[0], None))


# ---- a page on checkpoints of two families

def write_sketch(path, family, *marks):
    """As much of a checkpoint as tells what it is."""
    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({FIRST: torch.zeros(2, 4, 3, 3), f"{MIDDLE}x": torch.zeros(1), f"{family.marker}x": torch.zeros(1),
               **{mark: torch.zeros(0) for mark in marks}}, path)
    return path


class Families(Shown):
    """It has a checkpoint of every family, and one of SDXL that predicts v."""

    def checkpoints(self):
        found = [Checkpoint(f.name, self.folders.checkpoints / f"{f.name}.safetensors") for f in FAMILIES]
        found.append(Checkpoint("noob", self.folders.checkpoints / "noob.safetensors"))
        for one, family in zip(found, (*FAMILIES, FAMILIES[-1])):
            if not one.path.exists():
                write_sketch(one.path, family, *(("v_pred", "ztsnr") if one.title == "noob" else ()))
        return found

    def advice(self, checkpoint):
        return contradictions(checkpoint)


@pytest.fixture
def page(tmp_path):
    with gr.Blocks():
        return Page(Families(tmp_path))


def made(page, checkpoint, method="lora"):
    page.layout.model.create_workspace("ghost", checkpoint, "thing", method)
    return workspace.open_workspace(page.layout.host.folders.workspaces, "ghost")


def visible(page, run, section, name):
    form = page.layout.train.form
    key = form.method_components[run.method.name, name] if section == "method" else form.components[section, name]
    return page.layout.run_updates(run, run)[key]["visible"]


@pytest.mark.parametrize("title, size, clip_skip, second", [
    ("sd1", 512, True, False), ("sd2", 768, False, False), ("sdxl", 1024, False, True)])
def test_a_new_workspace_suits_its_checkpoint_and_shows_what_has_an_effect(page, title, size, clip_skip, second):
    run = made(page, title).read_run()
    assert run.data.resolution == size
    assert visible(page, run, "data", "clip_skip") is clip_skip
    assert visible(page, run, "method", "text_rate_2") is second


def test_family_and_prediction_are_on_the_card_and_beside_the_checkpoint_s_name(page):
    space = made(page, "noob")
    run = space.read_run()
    for shown in (page.layout.model.about_table("ghost"), page.layout.base_updates(run)[page.layout.train.base]):
        assert "noob" in shown and "Stable Diffusion XL" in shown and "v, zero terminal SNR" in shown
    assert run.noise.weighting == "none" and "Weighting is none" in page.layout.base_updates(run)[
        page.layout.train.base]


def test_another_checkpoint_brings_what_suits_it_and_keeps_what_was_chosen(page):
    space = made(page, "sd1")
    space.save_run(space.read_run().with_values({"training": {"steps": 77}, "base": {"prediction": "v"}}))
    page.layout.model.change_checkpoint("ghost", "sdxl")
    run = space.read_run()
    assert (run.data.resolution, run.training.steps, run.method.text_rate) == (1024, 77, 0.0)
    assert run.base == Base("sdxl")


@pytest.mark.parametrize("family, refused", [("sdxl", False), ("sd1", True), (None, True)])
def test_a_checkpoint_of_another_family_than_what_was_trained_is_refused(page, family, refused):
    space = made(page, "sdxl")
    write_trained_state(space, 10, **({"family": family} if family else {}))
    _, said = page.layout.model.change_checkpoint("ghost", "noob")
    assert ("ghost was trained on Stable Diffusion 1, and noob is a Stable Diffusion XL checkpoint" in said) is refused


# ---- settings of other trainers

@pytest.fixture
def imported(tmp_path):
    """Imports the file at a path into a workspace on the checkpoint of this title; gives the run and what is said."""
    with gr.Blocks():
        panel = ImportPanel(Families(tmp_path))

    def go(path, chosen="sd1"):
        name, said = panel.import_settings(str(path), None, "", chosen)
        return workspace.open_workspace(panel.host.folders.workspaces, name).read_run(), said

    return go


@pytest.mark.parametrize("prediction, weighting", [("v, zero terminal SNR", "none"), ("v", "min-snr")])
def test_an_import_starts_from_what_suits_the_prediction_that_it_sets(imported, tmp_path, prediction, weighting):
    """Its checkpoint says nothing of what it predicts, and is not in the list."""
    base = write_sketch(tmp_path / "elsewhere" / "plain.safetensors", FAMILIES[-1])
    path = tmp_path / "own.toml"
    path.write_text(f"output.name = 'ghost'\n[base]\ncheckpoint = '{base.as_posix()}'\nprediction = '{prediction}'",
                    encoding="utf-8")
    run, _ = imported(path)
    assert (run.base.prediction, run.noise.weighting, run.data.resolution) == (prediction, weighting, 1024)
    assert Path(run.base.checkpoint) == base


@pytest.mark.parametrize("title, kept, named", [
    ("sd1", (2, -1.0), ["text_rate_2"]), ("sd2", (1, -1.0), ["clip_skip", "text_rate_2"]),
    ("sdxl", (1, 1e-5), ["clip_skip"])])
def test_an_imported_value_without_effect_on_the_checkpoint_is_named_and_left_out(
        imported, tmp_path, title, kept, named):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"LoRA_type": "Standard", "train_batch_size": 1, "clip_skip": 2,
                                "text_encoder_lr": [5e-5, 1e-5]}), encoding="utf-8")
    run, said = imported(path, title)
    assert (run.data.clip_skip, run.method.text_rate_2) == kept
    assert re.findall(r"(\w+) = \S+: has no effect on Stable Diffusion", said) == named


# ---- what a person chooses

def test_the_choice_of_a_person_goes_before_the_file_and_a_contradiction_is_said(tmp_path):
    noob = Checkpoint("noob", write_sketch(tmp_path / "noob.safetensors", FAMILIES[-1], "v_pred"))
    chosen = replace(noob, prediction=Prediction("eps"))
    assert kind_of(noob).prediction == Prediction("v") and contradictions(noob) == []
    assert kind_of(chosen).prediction == Prediction("eps")
    assert "noob.safetensors says that it predicts v, but 'Prediction' is set to epsilon" in contradictions(chosen)[0]


def test_a_file_that_says_nothing_contradicts_nobody(tmp_path):
    plain = Checkpoint("plain", write_sketch(tmp_path / "plain.safetensors", FAMILIES[-1]), prediction=V_ZERO)
    assert contradictions(plain) == [] and kind_of(plain).prediction == V_ZERO


def test_a_run_on_zero_snr_warns_of_min_snr_and_refuses_to_continue_on_another_family(tiny, tmp_path):
    host = Standalone(tmp_path)
    pictures = draw_pictures(tmp_path / "pictures", 1)

    def run(checkpoint, weighting="none"):
        return from_dict({"output": {"name": "ghost"}, "base": {"checkpoint": str(tiny(checkpoint))},
                          "method": {"name": "lora", "text_rate": 0.0, "skip_blocks": "IN00-IN08, OUT00-OUT08"},
                          "concepts": [{"folder": str(pictures), "instance_prompt": "a ghost"}],
                          "data": {"resolution": 64}, "training": {"steps": 1, "batch_size": 1},
                          "noise": {"weighting": weighting}, "previews": {"card": False}})

    space = workspace.create_workspace(host.folders.workspaces, "ghost", run("tiny-xl-zsnr"))
    said = {}
    for weighting in ("none", "min-snr"):
        job = start_run(run("tiny-xl-zsnr", weighting), host, space, RESTART_OVERWRITE)
        job.wait(120)
        said[weighting] = [e.message for e in job.history if isinstance(e, Warned)]
    assert not any("min-snr leaves out" in line for line in said["none"])
    assert any("min-snr leaves out" in line for line in said["min-snr"])
    with pytest.raises(workspace.WorkspaceError, match="was trained on Stable Diffusion XL.*Stable Diffusion 1 check"):
        start_run(run("tiny-sd1"), host, space, "continue-overwrite")
    assert find_checkpoint(host, str(tiny("tiny-sd1")))
