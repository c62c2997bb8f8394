"""Shards and the limit of their cache: what is read is what was written, or nothing."""

import os
from contextlib import closing
from random import Random
from threading import Thread

import pytest
import torch

from extension_lib.data import shards as module
from extension_lib.data.cache import GB, Cache
from extension_lib.data.shards import Shards
from extension_lib.support import disk

KEYS = [f"{n:032x}" for n in range(20)]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "模型 缓存"


def entry(n):
    return {"latents": torch.randn(4, 3, 2, generator=torch.Generator().manual_seed(n)), "framing": torch.arange(6)}


def written(folder, numbers=range(20)):
    made = Shards(folder)
    for n in numbers:
        made.put(KEYS[n], entry(n))
    made.close()
    return sorted(folder.iterdir())


def is_entry(found, n):
    return found is not None and found.keys() == entry(n).keys() and all(
        torch.equal(found[name], value) and found[name].dtype == value.dtype for name, value in entry(n).items())


def test_another_run_reads_what_was_put_bit_for_bit(folder, monkeypatch):
    monkeypatch.setattr(module, "MOST_ENTRIES", 8)
    assert len(written(folder)) == 3
    again = Shards(folder)
    assert all(is_entry(again.get(key), n) for n, key in enumerate(KEYS)) and again.get("f" * 32) is None


def test_whatever_is_damaged_is_noticed_deleted_and_can_be_put_again(folder):
    path, rng = written(folder)[0], Random(0)
    whole = path.read_bytes()
    damaged = [b"", whole[:7], whole[:-1], whole + b"x", b"\xff" * len(whole)]
    for _ in range(60):
        one = bytearray(whole)
        one[rng.randrange(len(one))] ^= 1 << rng.randrange(8)
        damaged.append(bytes(one))
    for held in damaged:
        path.write_bytes(held)
        again = Shards(folder)
        found = [again.get(key) for key in KEYS]
        missing = [n for n in range(20) if found[n] is None]
        assert missing and all(is_entry(found[n], n) for n in range(20) if n not in missing)
        assert not path.exists()
        again.put(KEYS[0], entry(0))
        again.close()
        assert is_entry(Shards(folder).get(KEYS[0]), 0)
        for left in folder.iterdir():
            left.unlink()


def test_two_runs_at_once_do_not_disturb_each_other(folder, monkeypatch):
    monkeypatch.setattr(module, "MOST_ENTRIES", 2)
    caches = [Cache(folder, limit) for limit in (1, 1e-6)]  # the second deletes all that it does not use itself
    wrong = []

    def use(cache):
        made = cache.shards(lambda: "encoder")
        for n in range(20):
            made.put(KEYS[n], entry(n))
            cache.flush()
            if not is_entry(made.get(KEYS[n]), n):
                wrong.append(n)

    threads = [Thread(target=use, args=[cache]) for cache in caches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and not any(cache.flush() for cache in caches)


def test_what_another_run_deletes_meanwhile_counts_as_never_put(folder):
    path, = written(folder)
    made = Shards(folder)
    path.unlink()
    assert made.get(KEYS[0]) is None
    made.put(KEYS[0], entry(0))
    assert is_entry(made.get(KEYS[0]), 0)


@pytest.mark.parametrize("name, broken, said", [
    ("write_bytes", lambda *_: (_ for _ in ()).throw(disk.SaveError("Could not write x: the disk is full.")), "full"),
    ("LEFT_FREE", 10**18, "GB free.")])
def test_where_nothing_can_be_written_it_stays_in_memory_and_is_said_once(folder, monkeypatch, name, broken, said):
    monkeypatch.setattr(module, name, broken)
    cache = Cache(folder, 1)
    made = cache.shards(lambda: "encoder")
    for n in range(3):
        made.put(KEYS[n], entry(n))
    assert said in cache.flush() and is_entry(made.get(KEYS[0]), 0)
    assert not list(folder.rglob("*.safetensors*"))


def test_the_limit_makes_leave_what_was_used_longest_ago_and_nothing_of_others(folder):
    for number, encoder in enumerate("abc"):
        with closing(Cache(folder, 1)) as cache:
            cache.shards(encoder.lower).put(KEYS[number], entry(number))
    paths = sorted(folder.rglob("*.safetensors"), key=lambda path: path.stat().st_mtime_ns)
    others = [folder / "mine.safetensors", paths[0].with_name("model.safetensors"), folder / "notes" / paths[0].name]
    folder.joinpath("notes").mkdir()
    for age, path in enumerate([*paths, *others]):
        if path in others:
            path.write_bytes(b"theirs")
        os.utime(path, (1000 + age, 1000 + age))
    with closing(Cache(folder, 2.5 * paths[0].stat().st_size / GB)) as cache:
        made = cache.shards("a".lower)
        assert is_entry(made.get(KEYS[0]), 0)  # the oldest is used now
    assert [path.exists() for path in paths] == [True, False, True] and all(path.exists() for path in others)
    Cache(folder, 0).close()
    assert not any(path.exists() for path in paths) and all(path.exists() for path in others)


def test_what_a_run_uses_stays_until_it_ends_and_half_written_files_go(folder):
    cache = Cache(folder, 1e-9)
    cache.shards(lambda: "encoder").put(KEYS[0], entry(0))
    cache.flush()
    path, = folder.rglob("*.safetensors")
    part = path.with_name(f"{'0' * 32}.safetensors.12345678.part")
    part.write_bytes(b"")
    os.utime(part, (0, 0))
    cache.close()
    assert not path.exists() and not part.exists()
