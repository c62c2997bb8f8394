"""Masks: found beside a picture or in its transparency, cut as the picture is."""

import numpy as np
import pytest
from helpers import small_run
from PIL import Image

from extension_lib.data.batches import Batches
from extension_lib.data.folder import find_all_pictures
from extension_lib.data.masks import read_mask
from extension_lib.data.store import Variant
from extension_lib.events import Warned


@pytest.fixture
def folder(tmp_path):
    left = np.zeros((64, 64), np.uint8)
    left[:, :32] = 255
    Image.new("RGB", (64, 64), (200, 0, 0)).save(tmp_path / "a.png")
    Image.fromarray(left).save(tmp_path / "a-mask.png")
    see_through = Image.new("RGBA", (64, 64), (0, 200, 0, 255))
    see_through.putalpha(Image.fromarray(left.T.copy()))
    see_through.save(tmp_path / "b.png")
    Image.new("RGB", (64, 64), (0, 0, 200)).save(tmp_path / "c.png")
    return tmp_path


def test_a_mask_is_no_picture_of_its_own(folder):
    assert [i.path.name for i in find_all_pictures(small_run(folder))[0].items] == ["a.png", "b.png", "c.png"]


def test_a_file_beside_counts_first_then_transparency(folder):
    assert np.array(read_mask(folder / "a.png"))[0, 0] == 255 and np.array(read_mask(folder / "a.png"))[0, 63] == 0
    assert np.array(read_mask(folder / "b.png"))[63, 0] == 0 and read_mask(folder / "c.png") is None


def test_a_mask_may_be_of_any_kind_of_picture(folder):
    Image.new("L", (64, 64), 0).save(folder / "c-mask.webp")
    assert [i.path.name for i in find_all_pictures(small_run(folder))[0].items] == ["a.png", "b.png", "c.png"]
    assert np.array(read_mask(folder / "c.png")).max() == 0


def test_batches_bring_masks_of_the_latents_size_and_mirror_them_too(model, folder):
    run = small_run(folder, data={"masked": True, "flip": True}, training={"batch_size": 1})
    batches = Batches(run, model, list(find_all_pictures(run)[0].items), text_trained=True)
    list(batches.prepare())
    first, _, third = (batches.pictures.mask(item, Variant((64, 64))) for item in batches.items)
    mirrored = batches.pictures.mask(batches.items[0], Variant((64, 64), mirrored=True))
    assert first.shape == (1, 8, 8) and first[0, 0, 0] == 1 and first[0, 0, 7] == 0
    assert (first.flip(2) == mirrored).all() and (third == 1).all()
    assert batches.batch(0).masks.shape == (1, 1, 8, 8)


def test_without_the_setting_there_are_none(model, folder):
    run = small_run(folder)
    batches = Batches(run, model, list(find_all_pictures(run)[0].items), text_trained=True)
    list(batches.prepare())
    assert batches.batch(0).masks is None


def test_a_mask_belongs_to_the_picture_beside_it_alone(tmp_path):
    for name in ("10_a/1.png", "10_b/1-mask.png", "10_b/2.png", "10_b/2-masklabel.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L", (64, 64), 0).save(tmp_path / name)
    names = [i.path.relative_to(tmp_path).as_posix() for i in find_all_pictures(small_run(tmp_path))[0].items]
    assert names == ["10_a/1.png", "10_b/1-mask.png", "10_b/2.png"]


@pytest.mark.parametrize("name", ["c-mask.PNG", "c-masklabel.png", "c-mask.Webp"])
def test_masks_of_other_programs_and_spellings_count(folder, name):
    Image.new("L", (64, 64), 0).save(folder / name)
    assert [i.path.name for i in find_all_pictures(small_run(folder))[0].items] == ["a.png", "b.png", "c.png"]
    assert np.array(read_mask(folder / "c.png")).max() == 0


@pytest.mark.parametrize("crop", ["center", "random"])
def test_a_mask_that_cannot_be_read_leaves_its_picture_out_before_the_first_step(model, folder, crop):
    (folder / "a-mask.png").write_bytes((folder / "a-mask.png").read_bytes()[:60])
    run = small_run(folder, data={"masked": True, "crop": crop})
    batches = Batches(run, model, list(find_all_pictures(run)[0].items), text_trained=True)
    told = [event.message for event in batches.prepare() if isinstance(event, Warned)]
    assert len(told) == 1 and "a.png" in told[0] and [i.path.name for i in batches.items] == ["b.png", "c.png"]
