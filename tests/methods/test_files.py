"""What holds for every method's files: what they hold is what was trained."""

import pytest
from eager import EAGER, method_of, run_of
from helpers import BASE, about
from learned import attached

from extension_lib.config.run import PRECISIONS, require_startable
from extension_lib.export import checkpoint, embedding, hypernetwork, verify
from extension_lib.export.products import output_files
from extension_lib.host import Folders
from extension_lib.hosts.drawing import merging
from extension_lib.settings import SettingError


def read_back(part, path, model):
    names = [w.name for w in model.weights() if w.parameter.requires_grad]
    readers = {
        "checkpoint": lambda: checkpoint.read_checkpoint(path, names),
        "lora": lambda: merging.read_deltas(path, model.layers()),
        "embedding": lambda: embedding.read_embedding(path),
        "hypernetwork": lambda: hypernetwork.read_hypernetwork(path).tensors()
    }
    return readers[part.kind]()


def written(run, model, trainable, root):
    """Each file of a run with what it should hold; written first."""
    folders = Folders(*(root / kind for kind in ("loras", "embeddings", "hypernetworks", "checkpoints", "workspaces")))
    for part in output_files(run):
        paths = [part.path(folders, stem) for stem in part.stems(run)]
        part.write(paths, trainable, about(run, checkpoint=BASE))
        contents = part.expected(trainable)
        assert len(contents) == len(paths) > 0
        for path, expected in zip(paths, contents):
            yield read_back(part, path, model), expected


@pytest.mark.parametrize("way", EAGER)
def test_in_each_precision_its_files_hold_what_was_trained(model, pictures, way, tmp_path):
    run, trainable = run_of(pictures, way), attached(model, pictures, way)
    precisions = run.method.safe_precisions()
    assert precisions
    for precision in precisions:
        saved = run.with_values({"saving": {"precision": precision}})
        for found, expected in written(saved, model, trainable, tmp_path / precision):
            assert len(expected) > 0 and verify.differences(found, expected, precision) == []
    trainable.detach()


REFUSED = [(way, precision) for way in EAGER for precision in PRECISIONS
           if precision not in method_of(way).safe_precisions()]


@pytest.mark.parametrize(("refused_way", "precision"), REFUSED)
def test_a_precision_in_which_its_file_would_be_wrong_is_refused(pictures, refused_way, precision):
    run = run_of(pictures, refused_way, saving={"precision": precision})
    with pytest.raises(SettingError, match="correctly only in"):
        require_startable(run)


def test_some_precisions_are_refused_and_none_of_a_plain_lora():
    assert ("loha, DoRA", "fp16") in REFUSED and not [way for way, _ in REFUSED if way == "lora"]
