"""Class pictures: drawn once, kept, and shown beside the subject."""

import pytest
from helpers import draw_pictures, quick_run
from PIL import Image

from extension_lib.data.batches import Batches
from extension_lib.data.folder import FolderError, find_all_pictures
from extension_lib.events import Prepared, Warned
from extension_lib.host import Checkpoint, Folders
from extension_lib.runs.class_pictures import prepare_class_pictures
from extension_lib.settings import SettingError


class Painter:
    """A host that paints, and counts what it was asked for."""

    def __init__(self, root):
        self.folders = Folders(*(root / n
                                 for n in ("loras", "embeddings", "hypernetworks", "checkpoints", "workspaces")))
        self.asked = []

    def draw(self, pictures):
        self.asked += pictures
        return [Image.new("RGB", (p.width, p.height), (p.seed % 256, 0, 0)) for p in pictures]


def run_with(folder, concept=None, **prior):
    return quick_run(folder, concepts=[{"folder": str(folder), "class_prompt": "a ghost", **(concept or {})}],
                     prior={"preserve": True, "pictures": 6, **prior})


def items_of(run, host, checkpoint=None):
    toyland = Checkpoint("toyland", host.folders.checkpoints / "base.safetensors", "ab" * 32)
    *told, items = prepare_class_pictures(run, find_all_pictures(run), checkpoint or toyland, host)
    assert all(isinstance(t, Prepared) for t in told)
    return items


@pytest.fixture
def host(tmp_path):
    return Painter(tmp_path / "studio")


def test_only_what_is_missing_is_drawn(host, pictures):
    assert len(items_of(run_with(pictures), host)) == 6 and [p.seed for p in host.asked] == list(range(6))
    items_of(run_with(pictures, pictures=8), host)
    assert [p.seed for p in host.asked[6:]] == [6, 7]
    assert len(items_of(run_with(pictures, pictures=3), host)) == 3


def test_another_prompt_or_checkpoint_has_pictures_of_its_own(host, pictures):
    items_of(run_with(pictures), host)
    items_of(run_with(pictures, {"class_prompt": "a dog"}), host)
    items_of(run_with(pictures), host, Checkpoint("other", host.folders.checkpoints / "other.safetensors", "cd" * 32))
    assert len(host.asked) == 18


def test_prompts_that_part_ways_late_have_folders_of_their_own(host, pictures):
    for end in ("day", "night"):
        prompt = f"a ghost that stands in front of an old house in the middle of a wood by {end}"
        items_of(run_with(pictures, {"class_prompt": prompt}), host)
    assert len(host.asked) == 12


def test_the_user_s_own_folder_is_taken_as_it_is(host, pictures, tmp_path):
    own = draw_pictures(tmp_path / "own", 3)
    (own / "._0.png").write_bytes(b"what macOS leaves beside a picture")
    items = items_of(run_with(pictures, {"class_folder": str(own)}), host)
    assert len(items) == 3 and not host.asked and {i.prompt for i in items} == {"a ghost"}


def test_filewords_stand_for_each_caption_without_the_rare_word(host, pictures):
    for n, path in enumerate(sorted(pictures.glob("*.png"))):
        path.with_suffix(".txt").write_text(f"a zwx ghost {('in the snow', 'at night')[n % 2]}", encoding="utf-8")
    items = items_of(run_with(pictures, {"class_prompt": "[filewords]"}, pictures=7), host)
    assert [i.prompt for i in items] == 4 * ["a ghost at night"] + 3 * ["a ghost in the snow"]
    assert [p.prompt for p in host.asked] == [i.prompt for i in items]
    (found,) = find_all_pictures(run_with(pictures, {"class_prompt": "photo of [filewords]", "word": "ghost"}))
    assert {i.class_prompt for i in found.items} == {"photo of a zwx in the snow", "photo of a zwx at night"}


def test_a_class_that_would_be_called_as_the_subject_is_refused(pictures):
    with pytest.raises(FolderError, match="would be the same as its prompt: '.*'.*'Word'"):
        find_all_pictures(run_with(pictures, {"class_prompt": "[filewords]", "word": "none of them"}))


def test_what_is_missing_is_said(host, pictures, tmp_path):
    with pytest.raises(SettingError, match="no class prompt"):
        items_of(run_with(pictures, {"class_prompt": ""}), host)
    with pytest.raises(FolderError, match="contains no picture"):
        items_of(run_with(pictures, {"class_folder": str(tmp_path / "none")}), host)


def test_every_batch_pairs_the_subject_with_its_class(model, host, pictures):
    run = run_with(pictures, weight=0.5)
    items = [i for found in find_all_pictures(run) for i in found.items] + items_of(run, host)
    batches = Batches(run, model, items, text_trained=True)
    list(batches.prepare())
    batch = batches.batch(0)
    assert batch.subjects == 2 and batch.latents.shape[0] == 4 and batch.weights.tolist() == [1, 1, 0.5, 0.5]
    assert batch.prompts[2:] == ["a ghost", "a ghost"]


def test_one_that_breaks_is_left_out_with_a_word(model, host, pictures, tmp_path):
    own = draw_pictures(tmp_path / "own", 3)
    broken = own / "0.png"
    broken.write_bytes(broken.read_bytes()[:-200])  # the header is whole, the picture is not
    run = run_with(pictures, {"class_folder": str(own)})
    batches = Batches(run, model, [i for found in find_all_pictures(run) for i in found.items] + items_of(run, host),
                      text_trained=True)
    said = [e.message for e in batches.prepare() if isinstance(e, Warned)]
    assert len(said) == 1 and "0.png" in said[0] and len(batches.classes) == 2
    assert all(batches.batch(n).latents.shape[0] == 2 * batches.batch(n).subjects for n in range(6))


def test_without_them_nothing_is_drawn(host, pictures):
    assert items_of(quick_run(pictures), host) == [] and not host.asked
