"""What holds for every method: nothing changes when it is attached, nothing is left when it is gone, and its files hold
what was trained.
"""

from typing import Any

import pytest
import torch
from eager import EAGER, SHIPPED, method_of, run_of
from helpers import BASE, about, trained
from learned import answer, attached, copied, learned

from extension_lib import methods
from extension_lib.config.run import PRECISIONS, require_startable
from extension_lib.export import checkpoint, embedding, hypernetwork, verify
from extension_lib.export.products import output_files
from extension_lib.host import Folders
from extension_lib.hosts.drawing import merging
from extension_lib.methods.base import NewWord
from extension_lib.methods.hypernetwork import Hypernetwork, Networks
from extension_lib.methods.layer import attach_after
from extension_lib.methods.lora import Lora
from extension_lib.methods.product import LORA
from extension_lib.settings import SettingError

WAYS = list(EAGER)
# they begin at zero, or as the model is
NOT_BY_SEED = {"ia3", "oft", "boft", "full", "norm", "dreambooth", "dreambooth, EMA"}
WORD = (NewWord("wholly-new", "ghost"),)  # in none of the prompts here


@pytest.fixture(params=[way for way in WAYS if "," not in way])
def name(request):
    return request.param


def test_every_method_that_ships_is_tested():
    assert set(methods.all_methods()) == SHIPPED


def test_a_host_may_exchange_the_forward_of_a_class_while_something_hangs_on_its_layers():
    """As the WebUI's Lora extension does when its page is reloaded in mid-training."""
    class Own(torch.nn.Linear):
        pass

    layer = Own(2, 2)
    undo = attach_after(layer, lambda x, y: y + 1)
    Own.forward = lambda self, x: x * 10
    assert torch.equal(layer(torch.ones(1, 2)), torch.full((1, 2), 11.0))
    undo()
    assert torch.equal(layer(torch.ones(1, 2)), torch.full((1, 2), 10.0))


def test_a_hypernetwork_with_layer_norm_begins_and_stays_quiet(model):
    """A norm behind the last layer brings whatever comes out to full length."""
    run = Hypernetwork(rate=1e-5, layer_norm=True)
    trainable = run.attach(model, 0)
    assert isinstance(trainable, Networks)
    network: Any = trainable.networks[min(trainable.networks)]
    trainable.detach()
    x = torch.randn(4, network.linear[0].in_features)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-5)
    for _ in range(20):
        optimizer.zero_grad()
        (network(x) - torch.randn(x.shape)).square().mean().backward()
        optimizer.step()
    assert 0 < (network(x) - x).norm() < 1e-2 * x.norm()


def test_dropout_is_felt_also_with_dora(model):
    method = Lora(dropout=0.9, dora=True)
    trainable = method.attach(model, 0)
    layer, module = next((one.module, trainable.modules[one.key]) for one in model.layers() if one.part == "te1")
    with torch.no_grad():
        torch.nn.init.normal_(module.lora_up.weight)
    x = torch.randn(3, layer.in_features)
    once, again = (method.output_change(module, layer, x, layer(x)) for _ in range(2))
    trainable.detach()
    assert not torch.equal(once, again)


def test_freshly_attached_it_changes_nothing(model, name):
    before = answer(model)
    trainable = method_of(name).attach(model, 0, WORD)
    assert torch.equal(answer(model), before)
    trainable.detach()


def test_detached_after_training_the_model_is_bit_identical(model, pictures, name):
    found = learned(model, pictures, name)
    assert torch.equal(found.detached, found.before) and not torch.equal(found.answer, found.before)
    assert found.left_behind == []


def shown(trainable):
    """What the model's own weights are, for those that are trained."""
    return {w.name: w.parameter.detach().clone() for w in trainable.weights}


def assert_alike(found, expected):
    assert all(torch.equal(value, expected[name].to(value.dtype)) for name, value in found.items())


@pytest.mark.once
@pytest.mark.parametrize("bf16", [False, True])
def test_previews_and_measurements_see_the_average_and_training_goes_on_from_the_weights(model, pictures, bf16):
    before, compute = answer(model), model.compute
    _, trainable = trained(model, run_of(pictures, "dreambooth, EMA", method={"bf16": bf16},
                                         training={"in_backward": bf16}))
    assert {w.parameter.dtype for w in trainable.weights} == {torch.float32, *([torch.bfloat16] if bf16 else [])}
    last, average = shown(trainable), {name: value.clone() for name, value in trainable.file_tensors().items()}
    with trainable.as_saved():
        assert model.compute == compute
        assert_alike(shown(trainable), average)
    assert not torch.equal(*(next(iter(values.values())) for values in (last, average)))
    assert_alike(shown(trainable), last)
    assert_alike(trainable.file_tensors(), average)
    trainable.detach()
    assert torch.equal(answer(model), before) and model.compute == compute


def test_muted_it_answers_as_before_and_afterwards_as_trained(model, pictures, name):
    found, trainable = learned(model, pictures, name), attached(model, pictures, name)
    try:
        with trainable.muted():
            assert torch.equal(answer(model), found.before) or name == "pivotal"  # its word is in the prompt here
        assert torch.equal(answer(model), found.answer)
    except SettingError as refused:
        assert name in ("textual_inversion", "dreambooth") and "prior.penalty" in str(refused)
    trainable.detach()


def test_what_it_learned_can_be_put_into_a_fresh_one(model, pictures, name):
    """Which answers, and writes files, as the one that learned."""
    found, fresh = learned(model, pictures, name), attached(model, pictures, name)
    answered, files = answer(model), copied(fresh.file_tensors())
    fresh.detach()
    assert torch.equal(answered, found.answer)
    assert files.keys() == found.files.keys() and all(torch.equal(files[k], found.files[k]) for k in files)


def test_the_same_seed_gives_the_same_beginning(model, name):
    def beginning(seed):
        trainable = method_of(name).attach(model, seed, WORD)
        state = {k: v.clone() for k, v in trainable.state_dict().items()}
        trainable.detach()
        return state

    torch.manual_seed(1)
    one = beginning(7)
    torch.manual_seed(2)
    two, other = beginning(7), beginning(8)
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert all(torch.equal(one[k], other[k]) for k in one) == (name in NOT_BY_SEED)


def test_everything_trained_is_fp32_and_the_base_learns_nothing(model, name):
    trainable = method_of(name).attach(model, 0, WORD)
    assert all(p.dtype == torch.float32 and p.requires_grad for g in trainable.groups() for p in g.parameters)
    trained_whole = name.startswith("dreambooth")
    assert trained_whole or not any(p.requires_grad for p in model.unet.parameters())
    trainable.detach()


def test_every_trained_tensor_gets_a_gradient(model, pictures, name):
    found = learned(model, pictures, name)
    assert [k for k, v in found.state.items() if torch.equal(v, found.beginning[k])] == []


@torch.no_grad()
def answer_with(model, deltas):
    """The model's answer with deltas in its weights and biases."""
    layers = {layer.key: layer.module for layer in model.layers()}
    parameters = {name: getattr(layers[name.partition(" ")[0]], name.partition(" ")[2] or "weight") for name in deltas}
    kept = {name: p.detach().clone() for name, p in parameters.items()}
    for name, delta in deltas.items():
        parameters[name].add_(delta)
    seen = answer(model)
    for name, value in kept.items():
        parameters[name].copy_(value)
    return seen


WITH_DELTA = [way for way in WAYS if "," not in way and method_of(way).product == LORA]


@pytest.mark.parametrize("way", WITH_DELTA)
def test_the_delta_is_what_the_layer_s_output_gains(model, pictures, way):
    trainable = attached(model, pictures, way)
    with_it, deltas = answer(model), trainable.deltas()
    trainable.detach()
    assert torch.allclose(answer_with(model, deltas), with_it, atol=1e-4)


# ---- its files

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


@pytest.mark.once
@pytest.mark.parametrize("way", WAYS)
def test_in_each_precision_its_files_hold_what_was_trained(model, pictures, way, tmp_path):
    run, trainable = run_of(pictures, way), attached(model, pictures, way)
    precisions = run.method.safe_precisions()
    assert precisions
    for precision in precisions:
        saved = run.with_values({"saving": {"precision": precision}})
        for found, expected in written(saved, model, trainable, tmp_path / precision):
            assert len(expected) > 0 and verify.differences(found, expected, precision) == []
    trainable.detach()


REFUSED = [(way, precision) for way in WAYS for precision in PRECISIONS
           if precision not in method_of(way).safe_precisions()]


@pytest.mark.parametrize(("refused_way", "precision"), REFUSED)
def test_a_precision_in_which_its_file_would_be_wrong_is_refused(pictures, refused_way, precision):
    run = run_of(pictures, refused_way, saving={"precision": precision})
    with pytest.raises(SettingError, match="correctly only in"):
        require_startable(run)


def test_some_precisions_are_refused_and_none_of_a_plain_lora():
    assert ("loha, DoRA", "fp16") in REFUSED and not [way for way, _ in REFUSED if way == "lora"]
