"""The panel, the table of previews and the plot of runs, as text."""

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from extension_lib.config.run import from_dict
from extension_lib.events import Alarmed, Began, Ended, Measured, Paused, Previewed, Saved, Stepped
from extension_lib.host import Folders
from extension_lib.runs.job import Job
from extension_lib.runs.preferred import NoCopy, prefer_copy
from extension_lib.ui.tabs import runs_tab
from extension_lib.ui.tabs.train_tab import job_version
from extension_lib.ui.views import job_view
from extension_lib.ui.views.curve import Line, svg
from extension_lib.ui.views.preview_table import COLUMNS, preview_table
from extension_lib.workspaces import workspace
from extension_lib.workspaces.past import logs_by_name, read_past_runs
from extension_lib.workspaces.record import recording

RUN = from_dict({"output": {"name": "gh<o>st"}, "training": {"steps": 100},
                 "previews": {"prompts": ["a zwx ghost", "a <cat>"]}})


def job(*events, run=RUN, host=None):
    made = Job(run, host, None, None)
    for event in events:
        made.keep(event)
    return made


def previewed(step, folder, *colours, size=(8, 8)):
    paths = tuple(folder / f"{step:06d}-{n}.png" for n in range(len(colours)))
    for path, colour in zip(paths, colours):
        Image.new("RGB", size, colour).save(path)
    return Previewed(step, paths)


def steps(count, class_loss=None):
    return [Stepped(n, 0.1 / n, 1e-4, class_loss=class_loss) for n in range(1, count + 1)]


def test_the_panel_shows_each_loss_there_is_and_no_other():
    shown = job_view.panel(job(*steps(5)))
    assert 'line instance"' in shown and 'line class"' not in shown and 'line fixed"' not in shown
    shown = job_view.panel(job(*steps(5, class_loss=0.2), Measured(5, 0.15, 1.0, True)))
    assert 'line class"' in shown and 'dot fixed"' in shown and "held out" in shown


def test_a_loss_that_is_no_number_does_not_spoil_the_curve():
    shown = job_view.panel(
        job(*steps(3), Stepped(4, float("nan"), 1e-4), Stepped(5, float("inf"), 1e-4), Stepped(6, 0.1, 1e-4)))
    drawn = {look: points for points, look in re.findall(r'<polyline points="([^"]*)" class="line ([^"]*)"', shown)}
    assert "nan" not in "".join(drawn.values()) and "inf" not in "".join(drawn.values())
    ends = [drawn[look].split()[-1].split(",")[0] for look in ("raw instance", "instance")]
    assert ends[0] == ends[1]  # the average goes on with the next number


def test_what_comes_from_people_is_text_and_not_html(tmp_path):
    shown = job_view.panel(job(*steps(1))) + preview_table(job(previewed(5, tmp_path, "red", "blue")))
    assert "gh&lt;o&gt;st" in shown and "a &lt;cat&gt;" in shown and "<cat>" not in shown


@pytest.mark.parametrize("events, said", [
    ([], "running"), ([*steps(2), Paused(2)], "paused"), ([Ended(2, "All done.")], "done"),
    ([Ended(2, "no", failed=True)], "failed"), ([Ended(2, "gone", discarded=True)], "discarded")])
def test_the_badge_says_how_the_job_stands(events, said):
    assert f'darkroom-badge {said}"' in job_view.panel(job(*events))


def test_an_alarm_says_what_is_seen_and_what_to_do():
    assert "It rises. <span>Stop.</span>" in job_view.panel(
        job(*steps(1), Alarmed(1, "overfitting", "It rises.", "Stop.")))


def copies(folder, held_out):
    events = []
    for step, loss in ((10, 0.3), (20, 0.2), (30, 0.25)):
        path = Path(folder / f"ghost-{step:06d}.safetensors")
        path.touch()
        events += [Stepped(step, 0.1, 1e-4), Measured(step, loss, 1.0, held_out), Saved(1000 + step, path)]
    return events


def test_the_best_copy_wears_a_badge_and_every_copy_its_loss(tmp_path):
    shown = job_view.panel(job(*copies(tmp_path, held_out=True)))
    best, = re.findall(r'<tr class="best">.*?</tr>', shown)
    assert "ghost-000020" in best and "0.2000" in best and shown.count("<tr class") == 3


def test_without_pictures_held_out_it_says_how_to_find_the_best(tmp_path):
    shown = job_view.panel(job(*copies(tmp_path, held_out=False)))
    assert 'class="best"' not in shown and "hold some pictures out" in shown


def test_previews_have_a_row_per_prompt_and_a_column_per_step(tmp_path):
    shown = preview_table(job(*(previewed(n, tmp_path, "red", "blue", size=(640, 320)) for n in (10, 20, 30))))
    assert shown.count("<tr>") == 3 and shown.count("<img") == 6 and "a zwx ghost at step 20" in shown


def test_a_star_prefers_a_copy_which_wears_a_badge_and_gets_the_preview_as_its_picture(tmp_path):
    folders = Folders(*[tmp_path] * 5)
    one = job(Stepped(10, 0.1, 1e-4), previewed(10, tmp_path, "red"), Saved(310, tmp_path / "ghost-000310.safetensors"),
              Stepped(20, 0.1, 1e-4), previewed(20, tmp_path, "blue"), host=SimpleNamespace(folders=folders))
    assert "darkroom-star" not in preview_table(one)  # the copy is gone
    (tmp_path / "ghost-000310.safetensors").touch()
    assert preview_table(one).count("darkroom-star") == 1 and 'data-step="10"' in preview_table(one)
    prefer_copy(one, 10)
    assert "your choice" in job_view.panel(one) and 'aria-pressed="true"' in preview_table(one)
    assert Image.open(tmp_path / "ghost-000310.png").getpixel((0, 0)) == (255, 0, 0)
    with pytest.raises(NoCopy, match="copy of step 20 no longer"):
        prefer_copy(one, 20)


def test_of_many_previews_the_first_and_the_last_are_shown(tmp_path):
    shown = preview_table(job(*(previewed(n, tmp_path, "red") for n in range(1, 101))))
    assert shown.count("<img") == COLUMNS and ">1</th>" in shown and ">100</th>" in shown


def test_buttons_change_when_the_job_pauses_or_ends_and_not_at_every_step():
    one = job(*steps(1))
    before = job_version(one)
    for event in steps(2):
        one.keep(event)
    assert job_version(one) == before
    one.keep(Paused(2))
    assert job_version(one) != before


def test_a_curve_of_one_value_or_none_is_drawn():
    assert "<svg" in svg([Line("instance", [(1, 0.5)])], 1, "loss") and svg([], 1, "loss") == ""


def logged(root, name, losses, on="a"):
    space = workspace.create_workspace(root, name, replace(RUN))
    with recording(space.new_log(), space.read_run()) as record:
        record.write(Began(0, 100, 5, 3))
        for step, loss in enumerate(losses):
            record.write(Stepped(step, loss, 1e-4))
            record.write(Measured(step, loss, 1.0, True, on))
        record.write(Ended(2, "All done."))
    return space


def test_runs_of_several_workspaces_stand_in_one_plot(tmp_path):
    logged(tmp_path, "one", [0.3, 0.2, 0.25])
    logged(tmp_path, "two", [0.3, 0.1, 0.05])
    runs, problems = read_past_runs(tmp_path, ["one 0001", "two 0001"])
    shown = runs_tab.comparison(runs, runs_tab.FIXED, runs_tab.BY_STEP)
    assert not problems and [r.lowest[::2] for r in runs] == [(1, 0.2), (2, 0.05)]
    assert shown.count("<polyline") == 2 and "All done." in shown and "different pictures" not in shown
    for loss, along in ((runs_tab.STEPS, runs_tab.BY_STEP), (runs_tab.FIXED, runs_tab.BY_TIME)):
        assert runs_tab.comparison(runs, loss, along) != shown


def test_runs_on_different_pictures_are_said_not_to_compare(tmp_path):
    logged(tmp_path, "one", [0.3, 0.2])
    logged(tmp_path, "two", [0.3, 0.1], on="b")
    runs, _ = read_past_runs(tmp_path, list(logs_by_name(tmp_path)))
    assert "different pictures" in runs_tab.comparison(runs, runs_tab.FIXED, runs_tab.BY_STEP)
    assert "different pictures" not in runs_tab.comparison(runs, runs_tab.STEPS, runs_tab.BY_STEP)


def test_a_run_that_was_killed_is_shown_as_far_as_it_got(tmp_path):
    log, = logged(tmp_path, "one", [0.3, 0.2]).logs()
    with open(log.folder / "events.jsonl", "a", encoding="utf-8") as file:
        file.write('{"what": "step", "st')
    assert len(read_past_runs(tmp_path, ["one 0001"])[0][0].stepped) == 2


@pytest.mark.parametrize("damage", [
    b"\xff\xfe\x00", b"{", b"null", b"5", b'"step"', b"[" * 10_000, b'{"what": "step"}', b'{"what": 5, "time": 1}',
    b'{"what": "step", "time": 1, "step": 2}', b'{"what": "step", "time": 1, "step": null, "loss": 1}',
    b'{"what": "measured", "time": 1, "step": 2, "loss": "low"}', b'{"what": "step", "time": 1, "step": 2, "loss": 1',
    b'{"what": "step", "time": 1, "step": 2, "loss": ' + b"9" * 5000 + b"}",
    b'{"what": "step", "time": ' + b"9" * 400 + b', "step": 2, "loss": 1}', b""])
def test_a_damaged_line_is_named_and_the_rest_is_shown(tmp_path, damage):
    log, = logged(tmp_path, "one", [0.3, 0.2]).logs()
    path = log.folder / "events.jsonl"
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([*lines[:2], damage, *lines[2:], b""]))
    (run,), (problem,) = read_past_runs(tmp_path, ["one 0001"])
    assert problem == "The log of one 0001 is damaged at line 3. The rest of it is shown."
    assert "<polyline" in runs_tab.comparison([run], runs_tab.FIXED, runs_tab.BY_TIME) and len(run.stepped) == 2
    assert log.read_last_lines()


def test_a_run_that_was_deleted_meanwhile_is_named(tmp_path):
    assert read_past_runs(tmp_path, ["gone 0001"]) == ([], ["There is no run gone 0001 any more."])


def test_a_run_that_cannot_be_read_is_named(tmp_path):
    log, = logged(tmp_path, "one", [0.3]).logs()
    (log.folder / "run.toml").write_text("]", encoding="utf-8")
    runs, (problem,) = read_past_runs(tmp_path, ["one 0001"])
    assert not runs and "one 0001 cannot be read" in problem
