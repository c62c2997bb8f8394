"""A job that pauses: the host has its model back meanwhile, and the file is as if there had been no pause."""

import csv
import importlib.util

import pytest
import torch
from helpers import quick_run
from safetensors.torch import load_file

from extension_lib.events import Began, Ended, Measured, Paused, Saved, Stepped
from extension_lib.export.products import output_files
from extension_lib.host import Picture, find_checkpoint
from extension_lib.runs import job as jobs
from extension_lib.runs import state
from extension_lib.runs.start import decide, start_run
from extension_lib.workspaces import workspace

RANDOM = {"method": {"dropout": 0.2}, "saving": {"precision": "fp32"}, "data": {"shuffle_captions": True}}


def finished(host, run, name="ghost"):
    job, space = told(host, run, name, lambda job, event: None)
    job.work()
    return job, space


def picture(host):
    return host.draw([Picture("a ghost", steps=3, cfg=4, width=64, height=64)])[0]


def told(host, run, name, react, answer=""):
    """A job that react(job, event) watches, in the job's own thread. answer: how it starts."""
    space = workspace.Workspace(host.folders.workspaces / name)
    space = space if space.folder.exists() else workspace.create_workspace(host.folders.workspaces, name, run)
    job = job_of(run, host, space, answer)
    add_event = job.add_event
    job.add_event = lambda event: (add_event(event), react(job, event))
    jobs.jobs.append(job)
    return job, space


def job_of(run, host, space, answer):
    decision = decide(run, host, space, answer)
    return jobs.Job(decision.run, host, space, find_checkpoint(host, "toyland"), decision.restart)


def at(step, act):
    """An answer: act once when this step is done, and go on from every pause."""
    def answer(job, event):
        if isinstance(event, Stepped) and event.step == step:
            act(job)
        elif isinstance(event, Paused):
            job.resume()
    return answer


@pytest.mark.parametrize("method, optimizer", [
    ({}, "AdamW schedule-free"), ({"name": "textual_inversion", "rate": 0.05}, "Prodigy"),
    ({"name": "dreambooth", "ema": 0.5}, "AdamW")])
def test_a_paused_run_ends_with_the_same_file_bit_for_bit(host, pictures, method, optimizer):
    six = {"training": {"steps": 6, "measure_every": 3, "optimizer": optimizer}, **RANDOM,
           "method": method or RANDOM["method"],
           "concepts": [{"folder": str(pictures), "instance_prompt": "[name], [filewords]", "word": "zwx"}]}
    finished(host, quick_run(pictures, output={"name": "whole"}, **six), "whole")
    job, space = told(host, quick_run(pictures, output={"name": "parts"}, **six), "parts", at(3, jobs.Job.pause))
    job.work()
    assert not job.ended.failed, job.ended.why
    assert [type(e) for e in job.history if isinstance(e, (Began, Paused))] == [Began, Paused, Began]
    assert [e.step for e in job.history if isinstance(e, Measured)] == [0, 3, 6]
    folder, = (part.folder(host.folders) for part in output_files(job.run))
    one, two = (load_file(folder / f"{name}.safetensors") for name in ("whole", "parts"))
    assert one.keys() == two.keys() and all(torch.equal(one[k], two[k]) for k in one)
    assert space.lifetime == 6 and not space.kept.exists()


def test_an_average_is_what_is_saved_and_looking_at_it_changes_nothing(host, pictures):
    """Neither measuring, drawing nor saving on the way."""
    def saved(name, **looks):
        run = quick_run(pictures, output={"name": name}, saving={"precision": "fp32"},
                        training={"steps": 3, "optimizer": "AdamW schedule-free"}).with_values(looks)
        space = finished(host, run, name)[1]
        return load_file(host.folders.lora / f"{name}.safetensors"), state.read_newest(space)["trained"]

    (plain, last), (looked, _) = saved("plain"), saved("looked", training={"measure_every": 1}, saving={
        "save_every": 2}, previews={"preview_every": 2, "preview_steps": 1})
    assert plain.keys() == looked.keys() and all(torch.equal(plain[key], looked[key]) for key in plain)
    up = next(key for key in last if key.endswith("lora_up.weight"))
    assert not torch.equal(plain[up], last[up])


def test_during_a_pause_the_host_draws_what_it_drew_before(host, pictures):
    before, during = picture(host), []

    def answer(job, event):
        if isinstance(event, Stepped) and event.step == 2:
            job.pause()
        elif isinstance(event, Paused):
            during.append(picture(host))
            job.resume()
    job, _ = told(host, quick_run(pictures, method={"unet_rate": 1e-2}), "ghost", answer)
    job.work()
    assert during == [before] and picture(host) == before
    with_it = host.draw([Picture("a ghost<lora:ghost:1>", steps=3, cfg=4, width=64, height=64)])[0]
    assert with_it != before


def test_another_thread_sees_the_pause_and_ends_it(host, pictures):
    run = quick_run(pictures, training={"steps": 30})
    space = workspace.create_workspace(host.folders.workspaces, "ghost", run)
    job = start_run(run, host, space)
    with job.changed:
        assert job.changed.wait_for(lambda: job.step, 60)
        job.pause()
        assert job.changed.wait_for(lambda: job.paused, 60)
    assert job.step and not host.borrowed and jobs.running_job() is job and not job.wait(0.3)
    job.stop()
    assert job.wait(60).why == "Stopped by you." and (host.folders.lora / "ghost.safetensors").exists()


@pytest.mark.parametrize("in_a_pause", [False, True])
def test_discarding_leaves_the_earlier_save_whole(host, pictures, in_a_pause):
    _, space = finished(host, quick_run(pictures))
    before = {p: p.read_bytes() for p in (space.state, *host.folders.lora.iterdir())}
    again = quick_run(pictures, training={"steps": 9})

    def answer(job, event):
        if isinstance(event, Paused) or isinstance(event, Stepped) and event.step == 7 and not in_a_pause:
            job.discard()
        elif isinstance(event, Stepped) and event.step == 6:
            job.pause()
    job, space = told(host, again, "ghost", answer, "continue-overwrite")
    job.work()
    assert job.ended.discarded and "discarded" in job.ended.why and not any(isinstance(e, Saved) for e in job.history)
    assert {p: p.read_bytes() for p in before} == before and space.lifetime == 4
    assert set(host.folders.lora.iterdir()) <= set(before)


def test_discarding_after_a_pause_that_was_ended_leaves_the_earlier_save_whole(host, pictures):
    _, space = finished(host, quick_run(pictures))
    before = space.state.read_bytes()

    def answer(job, event):
        if isinstance(event, Paused):
            job.resume()
        elif isinstance(event, Stepped):
            job.pause() if event.step == 5 else job.discard()
    job, _ = told(host, quick_run(pictures, training={"steps": 9}), "ghost", answer, "continue-overwrite")
    job.work()
    assert job.ended.discarded and space.state.read_bytes() == before and space.lifetime == 4


def test_a_first_run_that_is_discarded_leaves_nothing(host, pictures):
    job, space = told(host, quick_run(pictures), "ghost", at(2, jobs.Job.discard))
    job.work()
    assert job.ended.discarded and not space.state.exists() and not host.folders.lora.exists()


def test_what_was_saved_on_wish_outlives_a_discard(host, pictures):
    def answer(job, event):
        if isinstance(event, Stepped):
            {1: job.pause, 2: job.request_save}.get(event.step, job.discard)()
        elif isinstance(event, Paused):
            job.resume()
    job, space = told(host, quick_run(pictures, training={"steps": 9}), "ghost", answer)
    job.work()
    saved = [e.path.stem for e in job.history if isinstance(e, Saved)]
    assert job.ended.discarded and len(saved) == 1 and (host.folders.lora / f"{saved[0]}.safetensors").exists()
    assert space.lifetime == int(saved[0][-6:]) and space.state.exists()


def test_a_run_keeps_its_numbers_in_a_table(host, pictures):
    job, space = finished(host, quick_run(pictures, training={"measure_every": 2}))
    log, = space.logs()
    with open(log.table_path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    stepped = [e for e in job.history if isinstance(e, Stepped)]
    assert [(int(r["step"]), float(r["loss"])) for r in rows if r["loss"]] == [(e.step, e.loss) for e in stepped]
    assert [int(r["step"]) for r in rows if r["fixed_loss"]] == [0, 2, 4]
    assert isinstance(job.history[-1], Ended) and torch.isfinite(torch.tensor(float(rows[-1]["norm"])))


def test_tensorboard_s_file_is_written_where_it_is_installed_and_nowhere_else(host, pictures):
    _, space = finished(host, quick_run(pictures, training={"steps": 1}))
    log, = space.logs()
    assert bool(list(log.folder.glob("events.out.tfevents*"))) == bool(importlib.util.find_spec("tensorboard"))
