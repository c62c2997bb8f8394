"""What holds for every method: nothing changes when it is attached, nothing is left when it is gone."""

import pytest
import torch
from helpers import small_run, trained

from extension_lib import methods
from extension_lib.model import Condition

NAMES = list(methods.found())
EAGER = {"lora": {"rank": 4, "alpha": 4, "unet_rate": 1e-2, "text_rate": 1e-2}}


def method(name):
    return methods.found()[name](**EAGER[name])


def answer(model, seed=0):
    rng = torch.Generator().manual_seed(seed)
    noisy, t = torch.randn((2, 4, 16, 16), generator=rng), torch.tensor([100, 800])
    with torch.no_grad():
        return model.predict(noisy, t, Condition(model.encode_prompts(["a zwx ghost", "a dog"]).hidden))


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


def test_freshly_attached_it_changes_nothing(model, name):
    before = answer(model)
    trainable = method(name).attach(model, seed=0)
    assert torch.equal(answer(model), before)
    trainable.detach()


def test_detached_after_training_the_model_is_bit_identical(model, pictures, name):
    before = answer(model)
    _, trainable = trained(model, small_run(pictures, method={"name": name, **EAGER[name]}))
    assert not torch.equal(answer(model), before)
    trainable.detach()
    assert torch.equal(answer(model), before)
    assert all("forward" not in m.__dict__ for m in model.unet.modules())


def test_what_it_learned_can_be_put_into_a_fresh_one(model, pictures, name):
    run = small_run(pictures, method={"name": name, **EAGER[name]})
    _, trainable = trained(model, run)
    learned, state = answer(model), {k: v.clone() for k, v in trainable.state_dict().items()}
    trainable.detach()
    fresh = run.method.attach(model, seed=99)
    fresh.load_state_dict(state)
    assert torch.equal(answer(model), learned)
    fresh.detach()


def test_the_same_seed_gives_the_same_beginning(model, name):
    def beginning(seed):
        trainable = method(name).attach(model, seed)
        state = {k: v.clone() for k, v in trainable.state_dict().items()}
        trainable.detach()
        return state

    torch.manual_seed(1)
    one = beginning(7)
    torch.manual_seed(2)
    two, other = beginning(7), beginning(8)
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert any(not torch.equal(one[k], other[k]) for k in one)


def test_everything_trained_is_fp32_and_the_base_learns_nothing(model, name):
    trainable = method(name).attach(model, seed=0)
    assert all(p.dtype == torch.float32 and p.requires_grad for g in trainable.groups() for p in g.parameters)
    assert not any(p.requires_grad for p in model.unet.parameters())
    trainable.detach()


def test_every_trained_tensor_gets_a_gradient(model, pictures, name):
    """On 128x128 pictures, where every level of the UNet attends over several places."""
    run = small_run(pictures, method={"name": name, **EAGER[name]}, data={"resolution": 128}, training={"steps": 2})
    _, trainable = trained(model, run)
    fresh = run.method.attach(model, run.training.seed)
    beginning = {k: v.clone() for k, v in fresh.state_dict().items()}
    fresh.detach()
    still = [k for k, v in trainable.state_dict().items() if torch.equal(v, beginning[k]) and not k.endswith("alpha")]
    trainable.detach()
    assert not still


def test_the_delta_is_what_the_layer_s_output_gains(model, pictures, name):
    _, trainable = trained(model, small_run(pictures, method={"name": name, **EAGER[name]}))
    learned, deltas = answer(model), trainable.deltas()
    trainable.detach()
    layers = {layer.key: layer.module for layer in model.layers()}
    kept = {key: layers[key].weight.detach().clone() for key in deltas}
    with torch.no_grad():
        for key, delta in deltas.items():
            layers[key].weight.add_(delta.reshape(layers[key].weight.shape))
        merged = answer(model)
        for key, weight in kept.items():
            layers[key].weight.copy_(weight)
    assert torch.allclose(merged, learned, atol=1e-4)
