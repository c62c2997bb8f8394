"""Jobs on a real host: followed by anyone, stopped by anyone, continued later, and never leaving a broken file."""

import gc
import hashlib
import json
import resource
import shutil
import signal
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers import TOYLAND, draw_pictures, quick_run
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from extension_lib.data.pictures import load_picture
from extension_lib.events import Ended, Prepared, Previewed, Saved, Stepped, Warned
from extension_lib.host import Checkpoint, Picture, find_checkpoint
from extension_lib.runs import job as jobs
from extension_lib.runs import session, state
from extension_lib.runs.start import ANSWERS, Choice, Undecided, start_run
from extension_lib.workspaces import workspace

MAPS = Path("/proc/self/maps")


def start(host, run, name="ghost", answer=""):
    known = name in workspace.workspace_names(host.folders.workspaces)
    root = host.folders.workspaces
    space = workspace.open_workspace(root, name) if known else workspace.create_workspace(root, name, run)
    return start_run(run, host, space, answer), space


def finished(host, run, name="ghost", answer=""):
    job, space = start(host, run, name, answer)
    assert job.wait(120)
    return job, space


@contextmanager
def files_up_to(size):
    """A limit on the size of files is what a full disk looks like from inside."""
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)


def learned(host, name):
    return load_file(host.folders.lora / f"{name}.safetensors")


def test_a_run_ends_with_a_file_a_card_and_a_log(host, pictures):
    job, space = finished(host, quick_run(pictures, previews={"preview_every": 2, "preview_steps": 2, "card": True}))
    assert not job.ended.failed and not [e for e in job.history if isinstance(e, Warned)]
    assert {p.name for p in host.folders.lora.iterdir()} == {"ghost.safetensors", "ghost.json", "ghost.png"}
    assert len([e for e in job.history if isinstance(e, Previewed)]) == 2
    log, = space.logs()
    assert [line["step"] for line in log.read_lines() if line["what"] == "step"] == [1, 2, 3, 4]
    assert (log.folder / "previews" / "000002-0.png").exists() and space.lifetime == 4


def test_the_file_names_the_checkpoint_it_was_trained_on_by_its_hash(host, pictures):
    finished(host, quick_run(pictures, training={"steps": 1}))
    with safe_open(host.folders.lora / "ghost.safetensors", "pt") as file:
        said = file.metadata()
    digest = hashlib.sha256((TOYLAND / "base.safetensors").read_bytes()).hexdigest()
    assert (said["ss_sd_model_name"], said["ss_new_sd_model_hash"]) == ("base.safetensors", digest)


def test_the_file_counts_class_pictures_apart_and_says_what_was_computed_in(host, pictures):
    concept = {"folder": str(pictures), "class_prompt": "a ghost",
               "class_folder": str(draw_pictures(pictures.parent / "class", 3))}
    finished(host, quick_run(pictures, concepts=[concept], prior={"preserve": True}, training={"steps": 1}))
    with safe_open(host.folders.lora / "ghost.safetensors", "pt") as file:
        said = file.metadata()
    assert (said["ss_num_train_images"], said["ss_num_reg_images"], said["ss_mixed_precision"]) == ("5", "3", "no")


def test_any_number_of_pages_can_follow_and_any_can_stop(host, pictures):
    job, _ = start(host, quick_run(pictures, training={"steps": 500}))
    waiters = [threading.Thread(target=job.wait) for _ in range(3)]
    for waiter in waiters:
        waiter.start()
    with job.changed:
        job.changed.wait_for(lambda: job.step >= 2, 60)
    assert jobs.running_job() is job
    with pytest.raises(jobs.Busy, match="ghost is being trained"):
        start(host, quick_run(pictures, output={"name": "other"}), "other")
    job.stop()
    for waiter in waiters:
        waiter.join(60)
    assert job.ended.why == "Stopped by you." and (host.folders.lora / "ghost.safetensors").exists()
    assert jobs.running_job() is None


@pytest.mark.parametrize("at", ["Looking through", "Reading the checkpoint", "Drawing class pictures", "Reading 0.png"])
@pytest.mark.parametrize("ask", [jobs.Job.stop, jobs.Job.discard])
def test_stopping_is_answered_before_the_first_step_too(host, pictures, at, ask):
    run = quick_run(pictures, concepts=[{"folder": str(pictures), "class_prompt": "a ghost"}],
                    prior={"preserve": at.startswith("Drawing"), "pictures": 9, "drawing_steps": 1})
    job = jobs.Job(run, host, workspace.create_workspace(host.folders.workspaces, "ghost", run),
                   find_checkpoint(host, "toyland"))
    add_event = job.add_event
    job.add_event = lambda event: (add_event(event), ask(job) if at in getattr(event, "what", "") else None)
    job.work()
    assert (job.ended.step, job.ended.failed, job.ended.discarded) == (0, False, ask is jobs.Job.discard)
    assert host.borrowed is None
    assert len(list(host.folders.workspaces.rglob("class pictures/*/*/*.png"))) < 9
    assert isinstance(job.history[-2], Prepared) and at in job.history[-2].what and not host.folders.lora.exists()


def test_a_stopped_run_continues_as_if_it_had_not_stopped(host, pictures):
    six = {"method": {"dropout": 0.2}, "training": {"steps": 6}, "saving": {"precision": "fp32"}}
    finished(host, quick_run(pictures, output={"name": "whole"}, **six), "whole")
    run = quick_run(pictures, output={"name": "parts"}, **six)
    job = jobs.Job(run, host, workspace.create_workspace(host.folders.workspaces, "parts", run),
                   find_checkpoint(host, "toyland"))
    add_event = job.add_event
    job.add_event = lambda event: (add_event(event), job.stop() if getattr(event, "step", 0) == 3 else None)
    jobs.jobs.append(job)
    job.work()
    assert job.ended.step == 3
    second, space = finished(host, run, "parts", "continue-overwrite")
    assert [e.step for e in second.history if isinstance(e, Stepped)] == [4, 5, 6] and space.lifetime == 6
    one, two = learned(host, "whole"), learned(host, "parts")
    assert all(torch.allclose(one[k], two[k], atol=1e-6) for k in one)


def test_a_used_workspace_or_name_is_asked_about(host, pictures):
    finished(host, quick_run(pictures))
    with pytest.raises(Undecided) as asked:
        start(host, quick_run(pictures))
    assert asked.value.choices == [
        Choice("continue-overwrite", "Continue after step 4 and overwrite ghost"),
        Choice("continue-version", "Continue after step 4 and save as ghost-v2"),
        Choice("restart-version", "Start over and save as ghost-v2"),
        Choice("restart-overwrite", "Start over and overwrite ghost")]
    assert tuple(choice.id for choice in asked.value.choices) == ANSWERS


def test_a_name_that_differs_in_capitals_alone_is_taken(host, pictures):
    (host.folders.lora / "sub").mkdir(parents=True)
    (host.folders.lora / "sub" / "GHOST.safetensors").touch()
    with pytest.raises(Undecided) as asked:
        start(host, quick_run(pictures))
    assert asked.value.choices == [
        Choice("restart-version", "Save as ghost-v2 and leave ghost as it is"),
        Choice("restart-overwrite", "Overwrite ghost")]


@pytest.mark.parametrize("answer, name, lifetime", [
    ("continue-overwrite", "ghost", 8), ("continue-version", "ghost-v2", 8), ("restart-version", "ghost-v2", 4),
    ("restart-overwrite", "ghost", 4)])
def test_each_answer_does_what_it_says(host, pictures, answer, name, lifetime):
    finished(host, quick_run(pictures))
    job, space = finished(host, quick_run(pictures), answer=answer)
    assert [e.path.stem for e in job.history if isinstance(e, Saved)] == [name]
    assert space.lifetime == lifetime


@pytest.mark.parametrize("method", ["textual_inversion", "pivotal"])
def test_a_word_that_is_called_as_the_output_goes_on_under_the_next_version_s_name(host, pictures, method):
    run = quick_run(pictures, method={"name": method}, training={"steps": 1}, saving={"precision": "fp32"},
                    concepts=[{"folder": str(pictures), "instance_prompt": "[name], [filewords]"}])
    finished(host, run)
    job, space = finished(host, run, answer="continue-version")
    assert not job.ended.failed and space.lifetime == 2
    assert {e.path.stem for e in job.history if isinstance(e, Saved)} == {"ghost-v2"}


def bundling(pictures, word):
    method = {"name": "pivotal", "bundle": True, "pivot": 0.5, "word_rate": 0.05, "unet_rate": 1e-2}
    return quick_run(pictures, method=method, training={"steps": 2}, saving={"precision": "fp32"},
                     concepts=[{"folder": str(pictures), "instance_prompt": "[name], [filewords]", "word": word}])


def test_the_bundle_alone_draws_what_word_and_adapter_draw_together(host, pictures):
    finished(host, bundling(pictures, "zwx"))
    wanted = Picture("a zwx ghost <lora:ghost:0.8>", steps=2, cfg=4.0, width=64, height=64)
    together, = host.draw([wanted])
    (host.folders.embeddings / "zwx.safetensors").unlink()
    bundle = host.folders.workspaces / "exports" / "ghost-bundle.safetensors"
    bundle.replace(host.folders.lora / bundle.name)
    without, alone = host.draw([wanted, replace(wanted, prompt="a zwx ghost <lora:ghost-bundle:0.8>")])
    assert alone.tobytes() == together.tobytes() != without.tobytes()


def test_a_word_that_a_bundle_would_shorten_is_refused_before_training(host, pictures):
    job, _ = finished(host, bundling(pictures, "zwx 1.5"))
    assert job.ended.failed and "'zwx 1.5' has a dot" in job.ended.why and "'zwx 1'" in job.ended.why


@pytest.mark.skipif(not MAPS.exists(), reason="only Linux tells what is mapped")
def test_a_state_that_was_read_leaves_its_file_free(tmp_path):
    state.write_state(tmp_path / "state.safetensors", {"a": torch.arange(9.0), 3: {"step": torch.tensor(1.0), "n": 2}})
    tree = state.read_state(tmp_path / "state.safetensors")
    assert tree["a"].tolist() == list(range(9)) and tree[3] == {"step": 1.0, "n": 2}
    assert str(tmp_path) not in MAPS.read_text(encoding="utf-8")


def test_copies_by_step_are_kept_to_the_last_few(host, pictures):
    finished(host, quick_run(pictures, training={"steps": 7}, saving={"save_every": 2, "keep_last": 2}))
    assert sorted(p.name for p in host.folders.lora.glob("*.safetensors")) == [
        "ghost-000004.safetensors", "ghost-000006.safetensors", "ghost.safetensors"]


def test_a_copy_that_is_held_open_is_left_with_a_word(host, pictures, monkeypatch):
    """As Windows does it."""
    def held(self, missing_ok=False):
        if "-000002" in self.name and self.suffix == ".safetensors":
            raise PermissionError(13, "Access is denied", str(self))
        unlink(self, missing_ok)

    unlink = Path.unlink
    monkeypatch.setattr(Path, "unlink", held)
    job, _ = finished(host, quick_run(pictures, saving={"save_every": 2, "keep_last": 1}, training={"steps": 5}))
    assert job.ended == Ended(5, "All 5 steps are done.")
    warned = [e.message for e in job.history if isinstance(e, Warned)]
    assert any("Access is denied" in message and "ghost-000002" in message for message in warned)
    assert (host.folders.lora / "ghost-000004.safetensors").exists()


def test_the_card_s_picture_is_drawn_once_at_the_end(host, pictures, monkeypatch):
    draw, asked = host.draw, []
    monkeypatch.setattr(host, "draw", lambda wanted: asked.extend(wanted) or draw(wanted))
    finished(host, quick_run(pictures, method={"name": "pivotal"}, saving={"save_every": 1}, training={"steps": 3},
                             concepts=[{"folder": str(pictures), "instance_prompt": "[name], [filewords]",
                                        "word": "zwx"}],
                             previews={"card": True, "preview_steps": 1}))
    assert len(asked) == 1 and (host.folders.lora / "ghost.png").exists()
    assert not (host.folders.lora / "ghost-000002.png").exists()


def test_every_copy_names_itself(host, pictures):
    finished(host, quick_run(pictures, saving={"save_every": 2}))
    for path in host.folders.lora.glob("*.safetensors"):
        with safe_open(path, "pt") as file:
            assert file.metadata()["ss_output_name"] == path.stem


def test_at_weight_0_the_picture_is_the_base_s_bit_for_bit(host, pictures):
    def picture(prompt):
        return host.draw([Picture(prompt, steps=3, cfg=4, width=64, height=64)])[0]

    before = picture("a ghost")
    finished(host, quick_run(pictures))
    assert picture("a ghost") == picture("a ghost<lora:ghost:0>") == before
    assert picture("a ghost<lora:ghost:1>") != before
    assert picture("a ghost<lora:ghost:0:1>") not in (before, picture("a ghost<lora:ghost:1:0>"))


def test_the_model_is_given_back_bit_identical_also_after_an_error(host, pictures, monkeypatch):
    from extension_lib.models.frozen import checksum, parameter_states

    parts = parameter_states((host.ready.view.unet, *host.ready.view.text_models, host.ready.view.vae))
    before = checksum(parts)
    finished(host, quick_run(pictures), "one")
    monkeypatch.setattr(host.ready.view, "call_unet", lambda *_: 1 / 0)
    job, _ = finished(host, quick_run(pictures, output={"name": "two"}), "two")
    assert job.ended.failed and "division by zero" in job.ended.why
    assert checksum(parts) == before
    assert not any(p.requires_grad is False for p in host.ready.view.unet.parameters())


def test_a_full_disk_is_a_warning_and_nothing_is_half_written(host, pictures):
    run = quick_run(pictures, saving={"save_every": 2})
    finished(host, run)
    before = {p.name: p.read_bytes() for p in host.folders.lora.iterdir()}
    with files_up_to(100_000):
        job, _ = finished(host, run, answer="continue-overwrite")
    warned = [e.message for e in job.history if isinstance(e, Warned)]
    assert len(warned) == 4  # state and file, twice
    assert all("the disk is full" in w and "untouched" in w for w in warned)
    assert job.ended.failed and "No file could be written" in job.ended.why
    assert {p.name: p.read_bytes() for p in host.folders.lora.iterdir()} == before


def test_a_run_that_has_ended_leaves_no_tensor_and_no_picture_in_memory(host, pictures):
    def alive():
        gc.collect()
        return sum(isinstance(o, (torch.Tensor, Image.Image)) for o in gc.get_objects())

    previews, counts = {"preview_every": 1, "preview_steps": 1, "card": True}, []
    run = quick_run(pictures, training={"steps": 2}, previews=previews)
    for name in ("one", "two", "three"):
        job, _ = finished(host, replace(run, output=replace(run.output, name=name)), name)
        job.thread.join(60)
        counts.append(alive())
    assert counts[0] >= counts[1] >= counts[2]  # what tests before this one left may go meanwhile


def test_a_preview_that_finds_no_room_is_a_warning_and_the_run_goes_on(host, pictures, monkeypatch):
    def full(image, path, kind):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    job, space = finished(host, quick_run(pictures, previews={"preview_every": 4, "preview_steps": 1}))
    warned = [e.message for e in job.history if isinstance(e, Warned)]
    assert len(warned) == 1 and "no previews of step 4" in warned[0] and "the disk is full" in warned[0]
    log, = space.logs()
    assert job.ended == Ended(4, "All 4 steps are done.") and not list(log.folder.glob("previews/*"))


def test_a_disk_too_full_for_the_state_still_gets_the_file(host, pictures):
    finished(host, quick_run(pictures), "measured")
    sizes = [path.stat().st_size for path in (host.folders.lora / "ghost.safetensors",
                                              host.folders.workspaces / "measured" / "state.safetensors")]
    shutil.rmtree(host.folders.lora)
    with files_up_to(sum(sizes) // 2):
        job, space = finished(host, quick_run(pictures))
    assert not job.ended.failed and not space.state.exists() and (host.folders.lora / "ghost.safetensors").exists()
    assert ["the disk is full" in e.message for e in job.history if isinstance(e, Warned)] == [True]


def test_a_picture_that_is_gone_in_mid_training_ends_the_run_and_keeps_what_was_learned(host, pictures):
    job, space = start(host, quick_run(pictures, training={"steps": 2000}, data={"crop": "random"}))
    with job.changed:
        job.changed.wait_for(lambda: job.step >= 2, 60)
    for path in pictures.glob("*.png"):
        path.unlink()
    assert job.wait(60).failed and ".png" in job.ended.why and "What was learned before is saved." in job.ended.why
    assert (host.folders.lora / "ghost.safetensors").exists() and space.lifetime == job.ended.step >= 2


def test_starting_over_keeps_the_old_state_until_something_new_is_saved(host, pictures):
    _, space = finished(host, quick_run(pictures))
    before = space.state.read_bytes()
    run = quick_run(pictures, concepts=[{"folder": "/nowhere"}])
    job, _ = finished(host, run, answer="restart-overwrite")
    assert job.ended.failed and space.state.read_bytes() == before and space.lifetime == 4
    finished(host, quick_run(pictures, training={"steps": 1}), answer="restart-overwrite")
    assert space.lifetime == 1 and state.read_state(space.state)["lifetime"] == 1


def test_of_an_older_run_s_later_copies_none_pushes_out_a_new_one(host, pictures):
    finished(host, quick_run(pictures, training={"steps": 9}, saving={"save_every": 2}))
    finished(host, quick_run(pictures, training={"steps": 5}, saving={"save_every": 2, "keep_last": 1}),
             answer="restart-overwrite")
    assert sorted(p.stem for p in host.folders.lora.glob("*.safetensors")) == [
        "ghost", "ghost-000004", "ghost-000006", "ghost-000008"]


@pytest.mark.parametrize("method", [{}, {"name": "dreambooth", "unet_rate": 1e-4, "text_rate": 1e-4}])
def test_going_on_without_a_part_that_was_trained_is_refused_and_loses_nothing(host, pictures, method):
    _, space = finished(host, quick_run(pictures, method=method))
    before = space.state.read_bytes()
    job, _ = finished(host, quick_run(pictures, method={**method, "text_rate": 0}), answer="continue-overwrite")
    assert job.ended.failed and "was trained and is left out now" in job.ended.why
    assert space.state.read_bytes() == before


@pytest.mark.parametrize("first, then", [(0.5, 0.0), (0.0, 0.5)])
def test_an_average_can_be_switched_on_and_off_between_runs(host, pictures, first, then):
    run = quick_run(pictures, method={"name": "dreambooth", "unet_rate": 1e-4, "text_rate": 0, "ema": first},
                    training={"steps": 1})
    finished(host, run)
    job, space = finished(host, run.with_values({"method": {"ema": then}}), answer="continue-overwrite")
    assert not job.ended.failed and space.lifetime == 2


def test_the_average_of_a_short_run_is_near_its_weights(host, pictures):
    run = quick_run(pictures, method={"name": "dreambooth", "unet_rate": 1e-4, "text_rate": 0}, training={"steps": 20})
    changes = []
    for name, ema in (("last", 0.0), ("average", 0.9999)):
        finished(host, run.with_values({"output": {"name": name}, "method": {"ema": ema}}), name)
        saved = load_file(host.folders.checkpoints / f"{name}.safetensors")
        base = load_file(TOYLAND / "base.safetensors")
        changes.append(sum((saved[key].float() - base[key].float()).norm().item()
                           for key in base if "attn1.to_q" in key))
    assert 0.4 < changes[1] / changes[0] < 1


def test_a_batch_without_the_new_word_changes_nothing_and_ends_nothing(host, pictures):
    job, _ = finished(host, quick_run(pictures, method={"name": "textual_inversion", "rate": 0.05},
                                      data={"caption_dropout": 0.7},
                                      training={"steps": 6, "batch_size": 1}, saving={"precision": "fp32"},
                                      concepts=[{"folder": str(pictures), "instance_prompt": "[name], [filewords]"}]))
    assert job.ended == Ended(6, "All 6 steps are done.")


def test_a_table_that_is_open_in_another_program_costs_the_table_alone(host, pictures, monkeypatch):
    """As Windows does it."""
    monkeypatch.setattr(workspace.Log, "table_path", property(lambda log: log.folder))  # no file
    job, space = finished(host, quick_run(pictures))
    log, = space.logs()
    assert job.ended == Ended(4, "All 4 steps are done.") and [line["what"] for line in log.read_lines()][-1] == "ended"


def test_a_record_that_finds_no_room_costs_the_record_alone(host, pictures, monkeypatch):
    def full(log, what, **values):
        if log.table_path.exists():  # from the second event of the first step on
            raise OSError(28, "No space left on device")
        write_line(log, what, **values)

    write_line = workspace.Log.write_line
    monkeypatch.setattr(workspace.Log, "write_line", full)
    job, space = finished(host, quick_run(pictures))
    assert job.ended == Ended(4, "All 4 steps are done.") and (host.folders.lora / "ghost.safetensors").exists()
    log, = space.logs()
    assert [said["what"] for said in log.read_lines()][-1] == "step" and jobs.running_job() is None


def test_a_run_that_cannot_be_recorded_at_all_ends(host, pictures):
    run = quick_run(pictures)
    space = workspace.create_workspace(host.folders.workspaces, "ghost", run)
    (space.folder / "runs").write_bytes(b"")  # where a folder should be
    job = jobs.start_job(run, host, space, find_checkpoint(host, "toyland"))
    assert job.wait(60).failed and jobs.running_job() is None


def test_a_preview_is_what_txt2img_gives_with_the_saved_file(host, pictures):
    run = quick_run(pictures, saving={"precision": "fp32"},
                    previews={"preview_every": 4, "prompts": ["a zwx ghost"], "preview_steps": 4, "preview_seed": 5})
    job, _ = finished(host, run)
    preview = load_picture(next(e for e in job.history if isinstance(e, Previewed)).paths[0])
    drawn = host.draw([Picture("a zwx ghost<lora:ghost:1>", steps=4, cfg=7.0, width=64, height=64, seed=5)])[0]
    difference = torch.tensor(list(preview.getdata())).float() - torch.tensor(list(drawn.getdata())).float()
    assert difference.abs().mean() < 0.5


@pytest.mark.parametrize("change, said", [
    ({"concepts": [{"folder": "/nowhere"}]}, "There is no folder"),
    ({"method": {"unet_rate": 0, "text_rate": 0}}, "learning rates are 0")])
def test_a_run_that_cannot_be_ends_with_a_sentence(host, pictures, change, said):
    job, _ = finished(host, quick_run(pictures).with_values(change))
    assert job.ended.failed and said in job.ended.why


@pytest.mark.parametrize("path, said", [
    ("model.ckpt", "not a .safetensors file"), ("ghost.safetensors", "is trained on")])
def test_a_checkpoint_that_could_not_be_written_is_refused_before_it_is_trained(host, pictures, path, said):
    run = quick_run(pictures, method={"name": "dreambooth"})
    space = workspace.create_workspace(host.folders.workspaces, "ghost", run)
    job = jobs.start_job(run, host, space, Checkpoint("model", host.folders.checkpoints / path))
    assert job.wait(60).failed and said in job.ended.why and list(job.history) == [job.ended]


def test_running_out_of_memory_before_the_first_step_says_what_to_change(host, pictures, monkeypatch):
    def full(*_):
        raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 7.99 GiB")

    monkeypatch.setattr(host.ready.view, "encode_images", full)
    job, _ = finished(host, quick_run(pictures, training={"checkpointing": True}))
    assert job.ended.failed and job.ended.why.startswith("Out of memory. To use less: lower the batch size from 2 to 1")


def test_a_state_of_other_settings_is_refused_and_kept(host, pictures):
    _, space = finished(host, quick_run(pictures))
    kept = space.state.read_bytes()
    job, _ = finished(host, quick_run(pictures, method={"rank": 2}), answer="continue-overwrite")
    assert job.ended.failed and "does not match these settings" in job.ended.why
    assert space.state.read_bytes() == kept


def test_the_checkpoint_is_hashed_before_others_wait_for_the_model(host, pictures, monkeypatch):
    order, hash_checkpoint, borrow = [], session.hash_checkpoint, host.borrow
    monkeypatch.setattr(session, "hash_checkpoint", lambda given: order.append("hash") or hash_checkpoint(given))
    monkeypatch.setattr(host, "borrow", lambda checkpoint: order.append("borrow") or borrow(checkpoint))
    finished(host, quick_run(pictures, training={"steps": 1}))
    assert order == ["hash", "borrow"]


def test_the_ended_event_comes_when_the_model_is_free(host, pictures):
    job, _ = finished(host, quick_run(pictures))
    assert isinstance(job.history[-1], Ended) and host.borrowed is None
    assert json.loads((host.folders.lora / "ghost.json").read_text(encoding="utf-8"))["sd version"] == "SD1"


def test_a_workspace_whose_facts_cannot_be_read_is_refused_at_the_start_and_costs_no_file_later(host, pictures):
    run = quick_run(pictures)
    space = workspace.create_workspace(host.folders.workspaces, "ghost", run)
    about = space.folder / workspace.ABOUT
    about.write_text("lifetime = 0 0", encoding="utf-8")
    with pytest.raises(ValueError, match="workspace.toml"):
        start_run(run, host, space)
    job = jobs.start_job(run, host, space, find_checkpoint(host, "toyland"))
    assert job.wait(120) and [e for e in job.history if isinstance(e, Saved)]
    assert any("workspace.toml" in e.message for e in job.history if isinstance(e, Warned)) and space.state.exists()
