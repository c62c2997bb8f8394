"""Batches: what a step sees, again and again the same."""

from types import SimpleNamespace

import pytest
import torch
from helpers import small_run
from PIL import Image

from extension_lib.data import plan
from extension_lib.data.batches import Batches, make_room
from extension_lib.data.folder import find_pictures
from extension_lib.events import Warned


def batches(model, folder, text_trained=False, **sections):
    run = small_run(folder, **sections)
    made = Batches(run, model, list(find_pictures(run.concepts[0]).items), text_trained)
    return made, list(made.prepare())


def test_the_same_number_gives_the_same_batch(model, pictures):
    made, _ = batches(model, pictures, data={"flip": True, "shuffle_captions": True, "caption_dropout": 0.3})
    again, _ = batches(model, pictures, data={"flip": True, "shuffle_captions": True, "caption_dropout": 0.3})
    for number in (7, 0, 3):
        one, two = made.batch(number), again.batch(number)
        assert one.prompts == two.prompts and torch.equal(one.latents, two.latents)
        assert torch.equal(one.condition.hidden, two.condition.hidden)


def test_batches_hold_pictures_of_one_size(model, pictures):
    Image.new("RGB", (256, 96)).save(pictures / "wide.png")
    made, _ = batches(model, pictures, data={"resolution": 128}, training={"batch_size": 3})
    sizes = [tuple(made.batch(n).latents.shape[2:]) for n in range(made.per_epoch)]
    assert sorted(sizes) == [(8, 24), (16, 16), (16, 16)]


def test_what_is_encoded_once_is_moved_off_the_device(model, pictures):
    batches(model, pictures)
    assert model.parked == {"vae", "te"}


def test_a_part_comes_to_the_device_when_it_is_needed(model, pictures, monkeypatch):
    model.parked, came = {"unet", "te", "vae"}, []
    monkeypatch.setattr(model, "module_of", lambda part, found=model.module_of: came.append(part) or found(part))
    batches(model, pictures)
    assert came == ["vae", "vae", "te", "te", "unet"] and model.parked == {"te", "vae"}


def test_on_a_card_that_is_nearly_full_the_unet_makes_room_while_pictures_are_encoded(monkeypatch):
    for kind, free, expected in (("cuda", 10, ["unet"]), ("cuda", 20, []), ("cpu", 10, [])):
        monkeypatch.setattr("extension_lib.memory.free", lambda device, free=free: free)
        model, parked = SimpleNamespace(device=torch.device(kind), sizes=lambda: {"unet": 10}), []
        model.park = parked.append
        make_room(model)
        assert parked == expected


@pytest.mark.parametrize("data", [{"crop": "random", "shuffle_captions": True},
                                  {"random_scale": 0.2, "tag_dropout": 0.1}, {"random_shift": 0.1, "tag_dropout": 1}])
def test_crops_and_captions_that_vary_keep_their_encoders(model, pictures, data):
    batches(model, pictures, data=data)
    assert model.parked == set()


def test_a_trained_text_encoder_encodes_in_the_step(model, pictures):
    made, _ = batches(model, pictures, text_trained=True)
    assert made.batch(0).condition is None and model.parked == {"vae"}


def test_someone_may_stop_between_any_two_things_that_take_long(model, pictures, monkeypatch):
    monkeypatch.setattr(plan, "AT_ONCE", 1000)
    _, events = batches(model, pictures, concepts=[{"folder": str(pictures), "repeats": 1000}])
    said = [event.what for event in events]
    assert said[:5] == [f"Reading {n}.png" for n in range(5)]
    assert said.count("Reading pictures to measure on") == 5
    assert "Encoding prompts" in said and said.count("Planning the first epoch") > 5


def test_a_picture_that_breaks_while_reading_is_left_out_with_a_word(model, pictures):
    data = (pictures / "0.png").read_bytes()
    (pictures / "0.png").write_bytes(data[:len(data) // 2])  # the header is whole, the picture is not
    made, events = batches(model, pictures)
    assert len(made.items) == 4
    assert any(isinstance(e, Warned) and "0.png" in e.message for e in events)


def test_prompts_of_different_length_are_filled_up_as_the_encoder_does(model, pictures):
    (pictures / "0.txt").write_text("dog, " * 60, encoding="utf-8")
    made, _ = batches(model, pictures, training={"batch_size": 5})
    batch = made.batch(0)
    with torch.no_grad():
        together = model.encode_prompts(batch.prompts).hidden
    assert batch.condition.hidden.shape[1] == 154
    assert torch.allclose(batch.condition.hidden, together, atol=1e-5)
