"""Whatever stands in a file, a folder or a command line: it is read, or refused in one sentence, and nothing else."""

import json
import tempfile
from contextlib import contextmanager
from pathlib import Path

import gradio as gr
import pytest
from fuzz import FOREIGN, SCRIPT, few, loose_runs, plain, some_of, texts, values
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from shown import Shown

from extension_lib import imports
from extension_lib.commands.training import parse_changes
from extension_lib.config.run import from_dict, merge_values, to_dict
from extension_lib.errors import DarkroomError
from extension_lib.settings import SettingError
from extension_lib.support import toml
from extension_lib.support.disk import path_from_text
from extension_lib.ui.page import Page
from extension_lib.workspaces import workspace

pytestmark = pytest.mark.once


@contextmanager
def one_sentence():
    """Within, what cannot be is said in one line of a length that people read."""
    try:
        yield
    except DarkroomError as error:
        assert "\n" not in str(error).strip() and len(str(error)) < 4000 and "Traceback" not in str(error)


@few
@given(loose_runs)
def test_loose_values_become_a_run_that_survives_the_way_through_a_file(loose):
    with one_sentence():
        run = from_dict(loose)
        assert from_dict(toml.parse_toml(toml.dump_toml(to_dict(run)))) == run


toml_pieces = st.sampled_from([
    "[", "]", "[[", "]]", "{", "}", "=", ".", ",", '"', "'", '"""', "#", "\n", "inf", "nan", "\\u", "training", "steps",
    "output", "name", "concepts", "folder", "method", "1979-05-27", "0x", "9" * 5000, "true", "\0", "\x7f"]) | texts


@few
@given(st.lists(toml_pieces, max_size=30).map("".join) | texts)
def test_a_text_is_toml_or_is_refused(text):
    with one_sentence():
        from_dict(toml.parse_toml(text))


@few
@given(st.binary(max_size=200))
def test_a_file_is_toml_or_is_refused(held):
    with tempfile.TemporaryDirectory() as folder, one_sentence():
        (Path(folder) / "run.toml").write_bytes(held)
        toml.read_toml(Path(folder) / "run.toml")


@few
@given(texts)
def test_any_text_is_a_path(text):
    assert isinstance(path_from_text(text), Path)


flags = st.sampled_from([
    "--training.steps", "--output.name", "--concepts.folder", "--method.name", "--method.rank", "--a.b", "--", "--.",
    "--training.", "-x", "x", "--base.checkpoint", "--previews.prompts"]) | texts


@few
@given(st.lists(flags | texts, max_size=6), loose_runs)
def test_changes_on_the_command_line_are_taken_or_refused(words, loose):
    with one_sentence():
        from_dict(merge_values(loose, parse_changes(words)))


foreign = st.one_of(*(some_of(keys) for keys in FOREIGN.values()))
known_by = st.sampled_from([
    {"train_batch_size": 1, "LoRA_type": "Standard"}, {"datasets": [{"subsets": [{}]}]}, {"output": {}},
    {"concepts_list": [{}]}, {"network_module": "networks.lora"}])


@few
@given(known_by, foreign | loose_runs, foreign)
def test_foreign_settings_are_imported_or_refused(mark, top, inner):
    source = {**mark, **top}
    if "concepts_list" in mark and isinstance(inner, dict):
        source["concepts_list"] = [inner]
    if "datasets" in mark:
        source["datasets"] = [{**inner, "subsets": [inner]}]
    with tempfile.TemporaryDirectory() as folder, one_sentence():
        path = Path(folder) / "settings.json"
        path.write_text(json.dumps(source), encoding="utf-8")
        read = imports.read_settings(path)
        assert all(isinstance(line, str) for line in read.dropped)
        from_dict(read.values)


lines = st.fixed_dictionaries({}, optional={
    "what": st.sampled_from(["began", "step", "measured", "saved", "ended", "warning"]) | values, "time": plain,
    "step": plain, "loss": plain, "rate": plain, "why": values, "path": values, "on": values, "held_out": values})
cells = st.fixed_dictionaries({
    "cell": st.fixed_dictionaries({"step": plain, "weight": plain, "prompt": texts, "seed": plain}), "called": values,
    "file": texts | st.just("0000.png")})
axes = {name: st.lists(plain, max_size=2) for name in ("weights", "steps", "prompts", "seeds")}
grids = st.fixed_dictionaries({
    **axes, "label": values, "best": plain, "cells": st.lists(cells, max_size=3),
    "picture": some_of({"prompt", "width", "height", "steps", "cfg", "seed", "size"})})


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    host = Shown(tmp_path_factory.mktemp("studio"))
    host.folders.lora.mkdir()
    with gr.Blocks():
        return Page(host).layout


def fill(root, settings, about, log, grid):
    folder = root / "ghost"
    (folder / "runs" / "0001").mkdir(parents=True, exist_ok=True)
    (folder / "grids" / "one").mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(folder / "grids" / "one" / "0000.png")
    for place in (folder, folder / "runs" / "0001"):
        (place / "run.toml").write_bytes(settings)
    (folder / "workspace.toml").write_bytes(about)
    (folder / "runs" / "0001" / "events.jsonl").write_bytes(log)
    (folder / "grids" / "one" / "grid.json").write_bytes(grid)


def as_toml(loose) -> bytes:
    """The values as a file has them, where they are a run; what they are else, as bytes."""
    try:
        return toml.dump_toml(to_dict(from_dict(loose))).encode()
    except SettingError:
        return json.dumps(loose).encode()


@few
@given(loose_runs.map(as_toml) | st.binary(max_size=50), some_of({"lifetime", "purpose", "created"}, plain) | st.none(),
       st.lists(lines.map(json.dumps).map(str.encode) | st.binary(max_size=30), max_size=6).map(b"\n".join),
       grids.map(json.dumps).map(str.encode) | values.map(json.dumps).map(str.encode) | st.binary(max_size=50))
def test_a_workspace_is_shown_whatever_it_holds(studio, settings, about, log, grid):
    root = studio.host.folders.workspaces
    try:
        written = toml.dump_toml({k: v for k, v in (about or {}).items() if v is not None}).encode()
    except (UnicodeEncodeError, ValueError, TypeError):
        written = b"lifetime = 'a'"
    fill(root, settings, written, log, grid)
    studio.compare.choose_cell("ghost/one/0")
    shown = [*studio.model.workspace_updates("ghost").values(),
             studio.runs.draw(["ghost 0001"], "on fixed noise", "steps"),
             *studio.compare.show_saved_grid("ghost", "one"), *studio.compare.prepare("ghost")[2:3]]
    assert SCRIPT not in str(shown) and len(list(workspace.list_workspaces(root))) == 1
    with one_sentence():
        studio.run_updates(workspace.open_workspace(root, "ghost").read_run(), from_dict({}))


@few
@given(texts, texts, texts)
def test_names_lead_nowhere_else(studio, first, second, third):
    root = studio.host.folders.workspaces
    before = {path for path in root.parent.rglob("*") if root not in path.parents}
    for change in (studio.model.rename_workspace, studio.model.duplicate_workspace):
        change(first, second)
    studio.model.create_workspace(first, "toyland", second, "lora")
    studio.model.delete_workspace(second)
    studio.model.restore_workspace(third)
    studio.compare.choose_cell(f"{first}/{second}/{third}")
    studio.compare.show_saved_grid(first, second)
    assert {path for path in root.parent.rglob("*") if root not in path.parents} - {root} == before - {root}
