"""What a file's header says of its run, against a count by hand."""

import json

import pytest
from helpers import draw_pictures
from PIL import Image

from extension_lib.config.run import from_dict
from extension_lib.data.batches import Batches
from extension_lib.data.folder import find_all_pictures
from extension_lib.export.metadata import adapter_metadata
from extension_lib.runs.files import RunFiles


@pytest.fixture
def files(host, tmp_path):
    """Six pictures of a concept with 2 repeats, two of them in a folder with 3 more; one is wide. Batches of four."""
    folder = draw_pictures(tmp_path / "pictures", 4, "Zwx Ghost, qvk,")
    draw_pictures(folder / "3_zwx ghost", 2, "zwx ghost, QVK,")
    Image.new("RGB", (128, 64), "red").save(folder / "0.png")
    run = from_dict({"output": {"name": "ghost"}, "concepts": [{"folder": str(folder), "repeats": 2}],
                     "data": {"resolution": 64}, "training": {"steps": 4, "batch_size": 4}})
    view = host.ready.view
    batches = Batches(run, view, [i for found in find_all_pictures(run) for i in found.items], text_trained=True)
    return RunFiles(run, host, None, host.current(), view, batches)


def header(files, step):
    return adapter_metadata(files.describe(step, "ghost"))


def test_pictures_are_counted_as_often_as_they_are_seen(files):
    said = header(files, 4)
    assert int(said["ss_num_train_images"]) == 4 * 2 + 2 * 3 * 2
    assert json.loads(said["ss_dataset_dirs"]) == {"pictures": {"n_repeats": 2, "img_count": 4},
                                                   "3_zwx ghost": {"n_repeats": 6, "img_count": 2}}
    counts = [bucket["count"] for bucket in json.loads(said["ss_bucket_info"])["buckets"].values()]
    assert sum(counts) == 20 and set(counts) <= {2, 18, 20}


def test_tags_are_counted_in_lower_case_once_for_each_picture(files):
    tags = json.loads(header(files, 4)["ss_tag_frequency"])
    assert (tags["pictures"]["zwx ghost"], tags["pictures"]["qvk"]) == (4, 4)
    assert (tags["3_zwx ghost"]["zwx ghost"], tags["3_zwx ghost"]["qvk"]) == (2, 2)


@pytest.mark.parametrize("earlier, step, said", [
    (0, 4, ("4", "4")), (4, 8, ("8", "8")), (4, 6, ("6", "8")), (40, 43, ("43", "44"))])
def test_steps_and_epochs_are_the_workspace_s_and_agree(files, earlier, step, said):
    files.earlier_steps, per_epoch = earlier, files.batches.per_epoch
    head = header(files, step)
    assert (head["ss_steps"], head["ss_max_train_steps"]) == said
    assert int(head["ss_num_epochs"]) == -(-(earlier + 4) // per_epoch)  # rounded up
    done = int(head["ss_num_epochs"]) if step == earlier + 4 else step // per_epoch
    assert int(head["ss_epoch"]) == done <= int(head["ss_num_epochs"])


def test_after_continue_the_header_says_8_steps_of_8_and_epoch_6_of_6(files, monkeypatch):
    monkeypatch.setattr(type(files.batches), "per_epoch", 4)
    files.run = files.run.with_values({"training": {"accumulation": 3}})
    files.earlier_steps = 4
    head = header(files, 8)
    assert [head[f"ss_{name}"] for name in ("steps", "max_train_steps", "epoch", "num_epochs")] == ["8", "8", "6", "6"]
