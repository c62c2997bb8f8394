"""What was learned is kept: by autosaves, at the end of the program, and whatever a crash leaves."""

import json
import os
import shutil
import signal
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers import BASE, draw_pictures, quick_run
from safetensors.torch import load_file, save_file

from extension_lib.events import Autosaved, Ended, Saved, Stepped, Warned
from extension_lib.host import Checkpoint, find_checkpoint
from extension_lib.runs import job as jobs
from extension_lib.runs import state
from extension_lib.runs.leaving import LeaveFirst, leave
from extension_lib.runs.start import Undecided, decide, start_run
from extension_lib.support import disk
from extension_lib.support.locks import Locked, locked
from extension_lib.workspaces import workspace

SIX = {"training": {"steps": 6}, "saving": {"precision": "fp32"}, "method": {"dropout": 0.2}}
ALWAYS = 1e-9  # minutes


class Killed(BaseException):
    """The program is gone: nothing may run after it."""


@pytest.fixture
def pictures(tmp_path):
    """Two pictures: what is kept does not depend on how many there are."""
    return draw_pictures(tmp_path / "pictures", 2)


def space_of(host, run, name="ghost"):
    folder = host.folders.workspaces / name
    return workspace.Workspace(folder) if folder.exists() else workspace.create_workspace(folder.parent, name, run)


def job_of(host, run, react=lambda job, event: None, name="ghost", answer=""):
    """A job on this thread that react(job, event) watches."""
    space = space_of(host, run, name)
    decision = decide(run, host, space, answer)
    job = jobs.Job(decision.run, host, space, find_checkpoint(host, "toyland"), decision.restart)
    add_event = job.add_event
    job.add_event = lambda event: (add_event(event), react(job, event))
    return job


def worked(host, run, react=lambda job, event: None, name="ghost", answer=""):
    job = job_of(host, run, react, name, answer)
    job.work()
    return job


def at_step(step, act):
    return lambda job, event: act(job) if isinstance(event, Stepped) and event.step == step else None


def killed_at(host, run, step, name="ghost"):
    """A run whose program is killed after this step."""
    def kill(job):
        raise Killed

    job = job_of(host, run, at_step(step, kill), name)
    with pytest.raises(Killed):
        job.work()
    return job


def learned(host, name="ghost"):
    return load_file(host.folders.lora / f"{name}.safetensors")


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.fixture
def whole(host, pictures):
    """What six steps without any interruption learn."""
    worked(host, quick_run(pictures, output={"name": "whole"}, **SIX), name="whole")
    return learned(host, "whole")


@pytest.fixture
def autosaving(monkeypatch):
    """Autosaves after every step, whatever share of the time they take."""
    monkeypatch.setattr("extension_lib.training.autosave.SHARE", 1e9)
    return {**SIX, "saving": {"precision": "fp32", "autosave_minutes": ALWAYS}}


def test_the_interval_decides_how_often_a_state_is_kept(host, pictures, autosaving):
    kept = [event.step for event in worked(host, quick_run(pictures, **autosaving)).history
            if isinstance(event, Autosaved)]
    job = worked(host, quick_run(pictures, output={"name": "other"}, **SIX), name="other")
    assert kept == [1, 2, 3, 4, 5, 6] and not [event for event in job.history if isinstance(event, Autosaved)]


def test_a_killed_run_continues_from_its_last_autosave_and_ends_bit_for_bit_the_same(host, pictures, whole, autosaving):
    run = quick_run(pictures, **autosaving)
    space = killed_at(host, run, 4).workspace
    assert space.newest_state().step == 3 and not host.folders.lora.joinpath("ghost.safetensors").exists()
    job = worked(host, run, answer="continue-overwrite")
    assert [event.step for event in job.history if isinstance(event, Stepped)] == [4, 5, 6]
    assert same(learned(host), whole) and not space.kept.exists() and not space.files_missing


def test_a_run_killed_before_its_files_were_written_writes_them_and_trains_no_second_schedule(host, pictures, whole,
                                                                                            monkeypatch):
    run = quick_run(pictures, **SIX)

    def kill(*args):
        raise Killed
        yield

    with monkeypatch.context() as patch:
        patch.setattr("extension_lib.runs.files.RunFiles.save_part", kill)
        with pytest.raises(Killed):
            job_of(host, run).work()
    assert space_of(host, run).files_missing
    job = worked(host, run, answer="continue-overwrite")
    assert not [event for event in job.history if isinstance(event, Stepped)]
    assert [event for event in job.history if isinstance(event, Saved)] and same(learned(host), whole)
    again = worked(host, run, answer="continue-overwrite")  # everything is saved: this is a second schedule
    assert [event.step for event in again.history if isinstance(event, Stepped)] == [1, 2, 3, 4, 5, 6]


DISK_OPERATIONS = (("replace", Path), ("unlink", Path))


@pytest.mark.parametrize("what", ["save", "pause", "discard"])
def test_a_kill_before_any_disk_operation_leaves_a_whole_state(host, pictures, what, monkeypatch):
    """Each time the program is killed one operation later, until it is not killed any more."""
    acts = {"save": jobs.Job.request_save, "pause": jobs.Job.pause, "discard": jobs.Job.pause}
    run = quick_run(pictures, training={"steps": 2, "batch_size": 1})
    worked(host, run)
    before = space_of(host, run).newest_state().lifetime
    for operation in range(100):
        number = 0

        def react(job, event):
            if isinstance(event, Stepped) and event.step == 1:
                count_from_here()
                acts[what](job)
            elif what == "discard" and job.paused:
                job.discard()
            elif job.paused:
                job.resume()

        def count_from_here(operation=operation):
            def counted(original):
                def wrapped(*args, **kwargs):
                    nonlocal number
                    number += 1
                    if number > operation:
                        raise Killed
                    return original(*args, **kwargs)
                return wrapped
            for name, owner in DISK_OPERATIONS:
                monkeypatch.setattr(owner, name, counted(getattr(owner, name)))

        with monkeypatch.context():
            try:
                job_of(host, run, react, answer="continue-overwrite").work()
                done = True
            except Killed:
                done = False
        monkeypatch.undo()
        newest = space_of(host, run).newest_state()
        assert newest and newest.lifetime >= before
        state.read_state(newest.path)
        before = newest.lifetime
        if done:
            break
    assert done and operation > 0


def test_altered_numbers_are_noticed(host, pictures):
    worked(host, quick_run(pictures))
    space = space_of(host, quick_run(pictures))
    held = bytearray(space.state.read_bytes())
    held[-100] ^= 1
    space.state.write_bytes(held)
    job = worked(host, quick_run(pictures), answer="continue-overwrite")
    assert job.ended.failed and "was altered after it was written" in job.ended.why


def warnings(job):
    return [event.message for event in job.history if isinstance(event, Warned)]


def test_what_has_changed_since_the_state_was_saved_is_named(host, pictures):
    worked(host, quick_run(pictures))
    (pictures / "0.txt").write_text("a zwx ghost in space", encoding="utf-8")
    draw_pictures(pictures.parent / "more", 1)
    (pictures.parent / "more" / "0.png").replace(pictures / "new.png")
    (pictures / "1.png").unlink()
    job = worked(host, quick_run(pictures, method={"unet_rate": 1e-3}), answer="continue-overwrite")
    settings, files, captions = warnings(job)
    assert settings == ("Since step 4 was saved, these settings have changed: method.unet_rate (0.002 to 0.001).")
    assert files == "Since step 4 was saved, these pictures differ: new: new.png; missing: 1.png."
    assert captions == "Since step 4 was saved, these captions differ: changed: 0.png."


def test_nothing_is_named_when_nothing_has_changed(host, pictures):
    worked(host, quick_run(pictures))
    moved = pictures.rename(pictures.parent / "moved 图片")
    assert warnings(worked(host, quick_run(moved), answer="continue-overwrite")) == []


def test_the_end_of_the_program_keeps_what_was_learned_and_says_why(host, pictures, whole, monkeypatch):
    run = quick_run(pictures, **SIX)
    job = worked(host, run, at_step(3, lambda job: job.leave("The program was told to end (SIGTERM).")))
    assert job.ended == Ended(3, "The program was told to end (SIGTERM).", leaving=True)
    assert not (host.folders.lora / "ghost.safetensors").exists() and job.workspace.newest_state().step == 3
    worked(host, run, answer="continue-overwrite")
    assert same(learned(host), whole)


def test_leaving_waits_until_the_running_job_is_kept(host, pictures):
    run = quick_run(pictures, training={"steps": 2000})
    job = start_run(run, host, space_of(host, run))
    with job.changed:
        assert job.changed.wait_for(lambda: job.step >= 2, 60)
    leave("The program ended.")
    assert job.ended.leaving and job.workspace.newest_state().step == job.ended.step


def test_asked_twice_it_does_not_wait(host, pictures):
    run = quick_run(pictures, training={"steps": 2000})
    job = start_run(run, host, space_of(host, run))
    job.leave_reason = "Leaving already."  # nobody has woken it
    leave("The program ended.")
    assert job.leave_reason == "Leaving already." and job.wait(60).leaving


def test_a_signal_s_earlier_handler_still_runs():
    heard = []
    LeaveFirst(lambda number, frame: heard.append(number))(signal.SIGTERM, None)
    assert heard == [signal.SIGTERM]


def foreign(path):
    """A file of another program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"not ours")
    return path


def test_another_program_s_copies_are_asked_about_and_never_deleted(host, pictures):
    others = [foreign(host.folders.lora / f"ghost-00000{n}.safetensors") for n in range(1, 6)]
    run = quick_run(pictures, saving={"save_every": 1, "keep_last": 1})
    space = space_of(host, run)
    with pytest.raises(Exception, match="a file of this name exists"):
        decide(run, host, space)
    worked(host, run, answer="restart-version")
    assert all(path.read_bytes() == b"not ours" for path in others)
    assert sorted(path.name for path in host.folders.lora.glob("ghost-v2*.safetensors")) == [
        "ghost-v2-000003.safetensors", "ghost-v2.safetensors"]


def test_only_own_copies_are_pushed_out(host, pictures):
    other = foreign(host.folders.lora / "ghost-000009.safetensors")
    run = quick_run(pictures, saving={"save_every": 1, "keep_last": 1})
    worked(host, run, answer="restart-overwrite")
    assert other.read_bytes() == b"not ours"
    assert sorted(path.stem for path in host.folders.lora.glob("*.safetensors")) == ["ghost", "ghost-000003",
                                                                                 "ghost-000009"]


@pytest.mark.parametrize("beside", ["ghost.json", "ghost.png", "ghost.yaml", "ghost.darkroom.toml",
                                    "ghost/model_index.json"])
def test_what_lies_beside_a_checkpoint_of_the_name_is_asked_about(host, pictures, beside):
    foreign(host.folders.checkpoints / beside)
    run = quick_run(pictures, method={"name": "dreambooth"})
    with pytest.raises(Exception, match="a file of this name exists"):
        decide(run, host, space_of(host, run))


def test_a_checkpoint_that_is_not_numbers_is_named_and_nothing_is_saved(host, pictures):
    tensors = load_file(BASE)
    name = next(key for key in tensors if key.endswith("to_k.weight"))
    tensors[name][0, 0] = float("nan")
    host.folders.checkpoints.mkdir(parents=True)
    save_file(tensors, host.folders.checkpoints / "broken.safetensors")
    for suffix in (".yaml", ".darkroom.toml"):
        disk.copy_file(BASE.with_name("base" + suffix), host.folders.checkpoints / f"broken{suffix}")
    shutil.copytree(BASE.with_suffix(""), host.folders.checkpoints / "broken")
    run = quick_run(pictures, base={"checkpoint": "broken"})
    space = space_of(host, run)
    job = jobs.Job(run, host, space, find_checkpoint(host, "broken"))
    job.work()
    assert job.ended.failed and "holds values that are not numbers" in job.ended.why and "to_k" in job.ended.why
    assert "nothing is saved" in job.ended.why and job.ended.step == 1
    assert not space.state.exists() and not host.folders.lora.exists()


def test_two_programs_in_one_workspace_or_under_one_name_are_told_apart(host, pictures):
    run = quick_run(pictures)
    space = space_of(host, run)
    for path in (space.folder / workspace.LOCK, host.folders.workspaces / workspace.LOCKS / "ghost.lock"):
        with locked(path, "It"), pytest.raises(Locked, match="ghost is in use by the program with the number"):
            start_run(run, host, space)
    assert start_run(run, host, space).wait(60).failed is False


def test_every_log_has_its_own_folder_though_many_ask_at_once(host, pictures):
    space, logs = space_of(host, quick_run(pictures)), []
    threads = [threading.Thread(target=lambda: logs.extend(space.new_log() for _ in range(25))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({log.folder for log in logs}) == 100


def test_a_checkpoint_replaced_under_its_path_is_loaded_anew(host, tmp_path):
    path = tmp_path / "model.safetensors"
    for part in (".safetensors", ".yaml", ".darkroom.toml"):
        disk.copy_file(BASE.with_name("base" + part), tmp_path / f"model{part}")
    shutil.copytree(BASE.with_suffix(""), tmp_path / "model")
    checkpoint = Checkpoint("model", path)
    first = host.load(checkpoint).view
    assert host.load(checkpoint).view is first
    tensors = load_file(path)
    save_file({name: tensor * 0.5 for name, tensor in tensors.items()}, path)
    assert host.load(checkpoint).view is not first


@pytest.mark.parametrize("word, prompt, said", [
    ("gho", "a [filewords]", "'gho'"), ("Zwx", "[filewords]", ""), ("zwx", "[filewords]", "")])
def test_a_word_counts_where_the_tokens_of_a_prompt_hold_it(host, pictures, word, prompt, said):
    concept = {"folder": str(pictures), "instance_prompt": prompt, "word": word}
    run = quick_run(pictures, method={"name": "textual_inversion"}, concepts=[concept], training={"steps": 1},
                    saving={"precision": "fp32"})
    job = worked(host, run)
    assert (said in job.ended.why and "would never be learned" in job.ended.why) if said else not job.ended.failed


def test_a_word_that_every_checkpoint_knows_is_warned_about(host, pictures):
    concept = {"folder": str(pictures), "instance_prompt": "[filewords]", "word": "ghost"}
    run = quick_run(pictures, method={"name": "textual_inversion"}, concepts=[concept], training={"steps": 1},
                    saving={"precision": "fp32"})
    assert any("ghost is a word that every checkpoint knows" in text for text in warnings(worked(host, run)))


def test_a_folder_that_cannot_be_written_is_named_before_the_first_step(host, pictures, monkeypatch):
    def refused(self, data):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_bytes", refused)
    job = worked(host, quick_run(pictures))
    assert job.ended.failed and job.ended.step == 0 and "cannot be written to: permission is denied" in job.ended.why


def test_a_disk_without_room_is_named_before_the_first_step(host, pictures, monkeypatch):
    usage = disk.shutil.disk_usage(pictures)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage._replace(free=1000))
    job = worked(host, quick_run(pictures))
    assert job.ended.failed and job.ended.step == 0 and "has 0.0 GB free, but this run will write" in job.ended.why


def test_names_are_short_enough_in_bytes_for_every_suffix():
    assert disk.checked_file_name("幽" * 60)
    with pytest.raises(disk.NameProblem, match="too long"):
        disk.checked_file_name("幽" * 61)


def test_an_older_state_without_a_number_is_continued(host, pictures):
    run = quick_run(pictures)
    worked(host, run)
    space = space_of(host, run)
    tree = state.read_state(space.state)
    older = {name: tree[name] for name in ("method", "step", "lifetime", "trained", "optimizer")}
    state.write_state(space.state, older)
    space.update_about(files_saved=0)
    job = worked(host, quick_run(pictures, training={"steps": 6}), answer="continue-overwrite")
    assert [event.step for event in job.history if isinstance(event, Stepped)] == [5, 6]
    assert replace(job.ended) == Ended(6, "All 6 steps are done.") and json.dumps(warnings(job)) == "[]"


def test_a_state_that_cannot_be_read_is_said_before_the_start_and_left_alone(host, pictures):
    run = quick_run(pictures)
    worked(host, run)
    space = space_of(host, run)
    space.state.write_bytes(b"damaged")
    with pytest.raises(Undecided) as asked:
        decide(run, host, space)
    assert [choice.id for choice in asked.value.choices] == ["restart-version"]
    assert "cannot be read" in asked.value.choices[0].text
    job = worked(host, run, answer="continue-overwrite")
    assert job.ended.failed and "cannot be read" in job.ended.why and space.state.read_bytes() == b"damaged"


def test_a_clock_that_is_set_back_gives_no_negative_time(host, pictures, monkeypatch):
    times = iter(range(10**6, 0, -60))
    monkeypatch.setattr("time.time", lambda: float(next(times)))
    left = []
    job = worked(host, quick_run(pictures), lambda job, event: left.append(job.seconds_left()))
    assert not job.ended.failed and all(seconds is None or seconds >= 0 for seconds in left)


def test_a_temporary_file_of_half_a_year_ago_is_no_obstacle(host, pictures):
    run = quick_run(pictures)
    space = space_of(host, run)
    old = space.folder / "state.safetensors.12345678.part"
    old.write_bytes(b"half a file")
    os.utime(old, (1e9, 1e9))
    assert not worked(host, run).ended.failed and not old.exists()


def test_whatever_fails_in_reading_a_file_back_or_in_drawing_its_card_the_file_is_there(host, pictures, monkeypatch):
    def broken(*given):
        raise KeyError("something odd")

    monkeypatch.setattr(host, "read_back", broken)
    monkeypatch.setattr(host, "draw", broken)
    job = worked(host, quick_run(pictures, previews={"card": True}))
    assert not job.ended.failed and (host.folders.lora / "ghost.safetensors").exists()
    assert any("something odd" in text for text in warnings(job))
