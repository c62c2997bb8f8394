"""Latents and prompts cached on disk: encoded once for all runs, and the same as without a cache."""

from contextlib import closing

import pytest
import torch
from helpers import small_run
from PIL import Image

from extension_lib.data.batches import Batches
from extension_lib.data.cache import Cache
from extension_lib.data.folder import find_all_pictures
from extension_lib.models import view as module

MORE = {"flip": True, "masked": True}


@pytest.fixture
def prepared(model, tmp_path, monkeypatch):
    """Prepares batches with the cache, or without; returns them with how many pictures and prompts were encoded."""
    counts = {"encode_images": 0, "encode_prompts": 0}
    for name in counts:
        def counted(view, given, *rest, name=name, own=getattr(module.View, name)):
            counts[name] += len(given)
            return own(view, given, *rest)

        monkeypatch.setattr(module.View, name, counted)

    def prepare(folder, cached=True, **data):
        model.unpark()
        counts.update(dict.fromkeys(counts, 0))
        run = small_run(folder, data=data)
        with closing(Cache(tmp_path / "缓存 cache", 1.0) if cached else Cache()) as cache:
            made = Batches(run, model, list(find_all_pictures(run)[0].items), False, cache)
            list(made.prepare())
            found = [made.batch(n) for n in range(2 * made.per_epoch)]
        return found, tuple(counts.values())

    return prepare


def equal(ones, others):
    return all(torch.equal(one.latents, other.latents) and torch.equal(one.masks, other.masks)
               and torch.equal(one.sizes, other.sizes) and one.prompts == other.prompts
               and all(torch.equal(a, b) for a, b in zip(one.condition.tensors(), other.condition.tensors())
                       if a is not None) for one, other in zip(ones, others))


def test_a_second_run_encodes_none_and_its_batches_are_those_without_a_cache(prepared, pictures):
    Image.linear_gradient("L").resize((64, 64)).save(pictures / "0-mask.png")
    (pictures / "1.png").rename(pictures / "夏天 的 猫.png")
    without, counts = prepared(pictures, cached=False, **MORE)
    first, counts_first = prepared(pictures, **MORE)
    second, counts_second = prepared(pictures, **MORE)
    assert counts == counts_first == (10, 6) and counts_second == (0, 0)
    assert equal(without, first) and equal(without, second)


def test_what_has_changed_is_encoded_and_nothing_else(prepared, pictures):
    prepared(pictures)
    (pictures / "0.txt").write_text("another caption", encoding="utf-8")
    assert prepared(pictures)[1] == (0, 1)
    Image.new("RGB", (64, 64)).save(pictures / "1.png")
    assert prepared(pictures)[1] == (1, 0)
    Image.new("RGB", (64, 64)).save(pictures / "2.png")  # the same as that
    (pictures / "3.png").rename(pictures / "4 again.png")
    (pictures / "3.txt").rename(pictures / "4 again.txt")
    assert prepared(pictures)[1] == (0, 0)
    assert prepared(pictures, flip=True)[1] == (4, 0)
    assert prepared(pictures, clip_skip=2)[1] == (0, 6)
    assert prepared(pictures)[1] == (0, 0)


def test_a_changed_mask_changes_the_batch_and_encodes_no_picture(prepared, pictures):
    Image.new("L", (64, 64), 255).save(pictures / "0-mask.png")
    before, _ = prepared(pictures, masked=True)
    Image.new("L", (64, 64), 0).save(pictures / "0-mask.png")
    after, counts = prepared(pictures, masked=True)
    assert counts == (0, 0) and not equal(before, after)


def test_a_damaged_shard_is_made_anew(prepared, pictures, tmp_path):
    good, counts = prepared(pictures, **MORE)
    for path in tmp_path.rglob("缓存 cache/**/*.safetensors"):
        held = bytearray(path.read_bytes())
        held[-1] ^= 1
        path.write_bytes(held)
    again, counts_again = prepared(pictures, **MORE)
    assert sum(counts_again) > 0 and equal(good, again)
    assert prepared(pictures, **MORE)[1] == (0, 0)


def test_other_weights_another_precision_and_other_vectors_of_a_word_are_another_key(model):
    def digests():
        return model.encoder_digest("vae"), model.encoder_digest("te"), model.prompt_digest("a zwx cat", 1)

    before = digests()
    assert digests() == before and len(set(before)) == 3
    assert model.prompt_digest("a zwx cat", 2) != before[2] != model.prompt_digest("a zwx (cat)", 1, True)
    bias = next(weight for name, weight in model.vae.named_parameters() if name.endswith("bias"))
    kept = bias.data
    bias.data = kept.half()
    assert digests()[0] != before[0]
    bias.data = kept + 1
    assert digests()[0] != before[0] and digests()[1:] == before[1:]
    bias.data = kept
    for filled in (0.0, 1.0):
        model.add_word("zwx", {name: torch.full((1, held.shape[1]), filled)
                               for name, held in model.vocabularies().items()})
        before, seen = digests(), before
        model.remove_word("zwx")
        assert before[2] != seen[2] and before[:2] == seen[:2]
