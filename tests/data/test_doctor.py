"""The doctor: what was planted is found, what is clean is left alone, and every sentence names the picture."""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from helpers import ROOT, draw_pictures
from PIL import Image, ImageFilter
from planted import PROBLEMS, planted

from extension_lib.config.run import from_dict
from extension_lib.data.doctor import find_problems
from extension_lib.data.problems import KINDS

FOLDERS = 24


def tokenizer(known):
    """As CLIP's: a word that it knows is one token, any other several."""
    return lambda word: [1] if word in known else [1, 2]


def judged(found, problems):
    """How many findings were planted, how many were not, how many planted ones were missed."""
    left = list(problems)
    for problem in found:
        hit = next(
            (p for p in left if p[0] == problem.kind and (not p[1] or (problem.path and problem.path.stem in p[1]))),
            None)
        if hit:
            left.remove(hit)
    right = len(problems) - len(left)
    return Counter(right=right, wrong=len(found) - right, missed=len(left))


@pytest.mark.once
def test_what_was_planted_in_two_dozen_folders_is_found_and_nothing_else(tmp_path):
    total = Counter()
    for n in range(FOLDERS):
        rng = Random(1000 + n)
        case = planted(tmp_path / f"照片 {n}", rng, rng.randint(0, 4))
        total += judged(find_problems(case.run, tokenizer(case.known) if n % 2 else None), case.problems)
    assert total["right"] > FOLDERS
    assert total["right"] / (total["right"] + total["wrong"]) >= 0.95, total
    assert total["right"] / (total["right"] + total["missed"]) >= 0.95, total


@pytest.mark.once
@pytest.mark.parametrize("n", range(8))
def test_a_clean_folder_raises_nothing(tmp_path, n):
    case = planted(tmp_path / "clean", Random(n), 0)
    assert find_problems(case.run, tokenizer(case.known)) == find_problems(case.run) == ()


@pytest.mark.parametrize("kind", PROBLEMS)
def test_every_sentence_names_the_picture_and_says_what_to_do(tmp_path, kind):
    case = planted(tmp_path / "one", Random(5), 0, kinds=(kind,))
    problem, = find_problems(case.run, tokenizer(case.known))
    assert problem.kind == kind and problem.kind in KINDS
    assert problem.path is None or problem.path.name in problem.text
    assert any(word in problem.text for word in ("remove", "write", "say", "crop", "add"))


def test_a_blurred_background_is_no_fault(tmp_path):
    folder = draw_pictures(tmp_path / "near")
    for path in folder.glob("*.png"):
        sharp = Image.open(path).convert("RGB").resize((512, 512), Image.Resampling.NEAREST)
        far = sharp.filter(ImageFilter.GaussianBlur(8))
        far.paste(sharp.crop((128, 128, 384, 384)), (128, 128))
        far.save(path)
    run = from_dict({"concepts": [{"folder": str(folder)}], "data": {"resolution": 512}})
    assert [p for p in find_problems(run) if p.kind == "blurred"] == []


def test_what_was_left_out_is_said(tmp_path):
    draw_pictures(tmp_path / "10_ghost", 3)
    draw_pictures(tmp_path / "sample", 1)
    (tmp_path / "10_ghost" / "x.psd").write_bytes(b"x")
    run = from_dict({"concepts": [{"folder": str(tmp_path)}], "data": {"resolution": 64}})
    said = [p.text for p in find_problems(run) if p.kind == "left-out"]
    assert len(said) == 2 and "x.psd is left out" in said[0] and "The folder sample is left out" in said[1]


@pytest.mark.parametrize("shape", [(30_000, 2), (1, 6000)])
def test_a_thin_picture_is_named(tmp_path, shape):
    Image.new("RGB", shape).save(tmp_path / "thin.png")
    run = from_dict({"concepts": [{"folder": str(tmp_path)}], "data": {"resolution": 512}})
    assert {p.kind for p in find_problems(run) if p.path and p.path.name == "thin.png"} >= {"tiny", "shape"}


def test_looking_for_problems_imports_nothing_heavy():
    code = ("import sys, extension_lib.data.doctor, extension_lib.data.overview;"
            "print([m for m in ('torch', 'diffusers', 'lycoris', 'gradio') if m in sys.modules])")
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"


def test_a_word_of_its_own_may_be_a_known_one(tmp_path):
    """Textual inversion gives the word a meaning of its own, whatever it meant before."""
    case = planted(tmp_path / "word", Random(2), 0, kinds=("trigger-known",))
    assert [p.kind for p in find_problems(case.run, tokenizer(case.known))] == ["trigger-known"]
    embedding = case.run.with_values({"method": {"name": "textual_inversion"}})
    assert find_problems(embedding, tokenizer(case.known)) == ()


def test_the_same_picture_in_two_folders_of_one_concept_counts_twice(tmp_path):
    draw_pictures(tmp_path / "a", 1)
    draw_pictures(tmp_path / "b", 1)
    run = from_dict({"concepts": [{"folder": str(tmp_path)}], "data": {"resolution": 64}})
    assert [p.path for p in find_problems(run) if p.kind == "duplicate"] == [Path(tmp_path / "b" / "0.png")]
