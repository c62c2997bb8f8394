"""The quality table in its short form: a cell is trained, judged, kept and not made again."""

import json

import pytest

from benchmarks import quality, several
from benchmarks.cells import Table, write_parts
from extension_lib.hosts.standalone import Standalone
from toyland.judge import Judge
from toyland.subjects import SUBJECTS
from toyland.trial import run_for

SHORT = {"training": {"steps": 2, "batch_size": 2}, "previews": {"card": False}}


@pytest.fixture
def host(tmp_path):
    return Standalone(tmp_path / "studio")


@pytest.fixture
def run(host):
    return run_for(host, SUBJECTS["ghost"], **SHORT)


def test_a_cell_says_how_well_a_method_learned_and_what_it_took(host, run, tmp_path, monkeypatch):
    monkeypatch.setattr(quality, "GRID", tmp_path / "grid")
    made = quality.cell(host, Judge(), SUBJECTS["ghost"], run, count=8)
    assert set(quality.FIGURES) | {"steps", "seconds", "peak_mib", "file_kib"} <= set(made)
    assert made["steps"] == 2 and made["file_kib"] > 100 and (tmp_path / "grid" / "lora-ghost.png").exists()
    assert any(line.startswith("| LoRA | 1 |") for line in quality.table([made], []))


def test_a_page_keeps_what_people_wrote_around_its_tables(tmp_path):
    page, mark = tmp_path / "page.md", "<!-- {} table: made by a benchmark -->"
    page.write_text(f"# Title\n\n{mark.format('begin')}\nold\n{mark.format('end')}\n\nProse.\n", encoding="utf-8")
    write_parts(page, {"table": ["new"]})
    text = page.read_text(encoding="utf-8")
    assert "new" in text and "old" not in text and text.startswith("# Title") and text.endswith("Prose.\n")
    write_parts(page, {"table": ["new"]})
    assert page.read_text(encoding="utf-8") == text
    with pytest.raises(ValueError, match="lacks the marks"):
        write_parts(page, {"another": []})


def test_a_kept_cell_is_made_again_only_when_settings_change(run, tmp_path):
    made = []

    def ask(run):
        return Table(tmp_path / "table.json").cell("lora ghost", run, lambda: made.append(1) or {"fidelity": len(made)})
    assert ask(run)["fidelity"] == ask(run)["fidelity"] == 1
    assert ask(run.with_values({"training": {"steps": 3}}))["fidelity"] == 2
    assert list(json.loads((tmp_path / "table.json").read_text(encoding="utf-8"))["cells"]) == ["lora ghost"]


def test_masks_and_captions_of_two_concepts_are_as_the_remedy_says(host, tmp_path):
    subjects = [SUBJECTS[name] for name in several.PAIR]
    plain = several.run_of(host, subjects, "lora", several.NOTHING, tmp_path)
    masked = several.run_of(host, subjects, "lora", several.MASKS, tmp_path)
    assert [c.instance_prompt for c in plain.concepts] == [s.prompt for s in subjects]
    assert {c.instance_prompt for c in masked.concepts} == {"[filewords]"} and masked.data.masked
    assert len(list((tmp_path / "ghost").glob("*-mask.png"))) == len(list(SUBJECTS["ghost"].folder.glob("*.png")))
