"""OpenCLIP's text encoder, with its fused attention, is seen as transformers' with the same weights."""

import pytest
import torch
from openclip_model import TextTower
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from extension_lib.export.tensor_part import take_part, whole_name
from extension_lib.families import FAMILIES
from extension_lib.methods.adapter import Adapter
from extension_lib.methods.full import Full
from extension_lib.methods.ia3 import Ia3
from extension_lib.methods.lora import Lora
from extension_lib.methods.norm import Norm
from extension_lib.models.frozen import frozen
from extension_lib.models.openclip_encoder import OpenClipTextEncoder
from extension_lib.models.text_encoder import LoadedTextEncoder
from extension_lib.models.text_names import checkpoint_name
from extension_lib.support.seeds import generator_for

CPU = torch.device("cpu")
WIDTH, HEADS, LAYERS, TOKENS = 32, 4, 4, 60
ENCODERS = {family.name: encoder for family in FAMILIES for encoder in family.text_encoders if encoder.openclip}


class Tokenizer:
    """A letter is a token."""

    bos_token_id, eos_token_id = TOKENS - 2, TOKENS - 1

    def __call__(self, text, **unused):
        return {"input_ids": [1 + ord(letter) % 26 for letter in text]}


@pytest.fixture(params=ENCODERS)
def both(request):
    """(OpenCLIP's, transformers') with the same weights."""
    torch.manual_seed(0)
    names = ENCODERS[request.param]
    tower = TextTower(WIDTH, HEADS, LAYERS, WIDTH, TOKENS).eval()
    nn.init.constant_(tower.ln_final.bias, 0.3)  # weights of words keep the mean, which must not be zero
    config = CLIPTextConfig(hidden_size=WIDTH, intermediate_size=4 * WIDTH, num_attention_heads=HEADS,
                            hidden_act="gelu", num_hidden_layers=LAYERS - names.spare, vocab_size=TOKENS,
                            projection_dim=WIDTH, bos_token_id=TOKENS - 2, eos_token_id=TOKENS - 1)
    model = (CLIPTextModelWithProjection if names.pools else CLIPTextModel)(config).eval()
    held = {names.checkpoint + name: tensor for name, tensor in tower.state_dict().items()}
    model.load_state_dict({**model.state_dict(), **{
        name: take_part(checkpoint_name(names, name), held[whole_name(checkpoint_name(names, name))])
        for name, _ in model.named_parameters()}})
    return OpenClipTextEncoder(names, tower, Tokenizer()), LoadedTextEncoder(names, model, Tokenizer())


def encoded(encoder, prompts=("a cat", "a very long prompt, " * 6), syntax=False):
    rows = encoder.cut(list(prompts), syntax)
    return encoder.encode(rows, max(map(len, rows)), 1)


def near(one, other):
    return all(a is b is None or torch.allclose(a, b, rtol=1e-4, atol=1e-5) for a, b in zip(one, other))


def test_both_make_the_same_of_prompts_exposed_or_not(both):
    ours, theirs = both
    with torch.no_grad():
        assert near(encoded(ours), encoded(theirs))
        with ours.exposed():
            assert near(encoded(ours), encoded(theirs))
            weighted = encoded(ours, ["(a cat:1.4)"], True)
        assert near(weighted, encoded(theirs, ["(a cat:1.4)"], True)) and not near(weighted, encoded(theirs, ["a cat"]))


def gradients(encoder, kind):
    """Of an adapter's tensors, by name."""
    trainable = Adapter(kind, kind.select_layers(list(encoder.layers())), 0, CPU)
    with torch.no_grad():
        for name, parameter in trainable.state_dict().items():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator_for(name)))
    loss = sum((out * torch.randn(out.shape, generator=generator_for("loss"))).sum()
               for out in encoded(encoder) if out is not None)
    loss.backward()
    found = {name: parameter.grad for name, parameter in trainable.state_dict().items()}
    trainable.detach()
    return found


@pytest.mark.parametrize("kind", [Lora(rank=2), Lora(rank=2, dora=True), Full()], ids=["LoRA", "DoRA", "full"])
def test_every_trained_gradient_agrees(both, kind):
    ours, theirs = both
    with ours.exposed():
        one = gradients(ours, kind)
    other = gradients(theirs, kind)
    assert one.keys() == other.keys() and len(one) > 20
    for name, grad in one.items():
        assert (grad is None) == (other[name] is None), name
        assert grad is None or torch.allclose(grad, other[name], rtol=1e-3, atol=1e-3 * grad.abs().max()), name


def test_a_moved_encoder_is_still_trained(both):
    """Moving a module gives it new tensors, so a projection must not hold the old ones."""
    ours, _ = both
    before = gradients_of_q(ours)
    ours.model.to(torch.float64).to(torch.float32)
    for parameter in ours.model.parameters():
        parameter.data = parameter.data.clone()
    assert torch.allclose(gradients_of_q(ours), before, rtol=1e-4)
    q = next(layer for layer in ours.layers() if layer.path.endswith("q_proj"))
    assert q.module.weight.data_ptr() == ours.model.transformer.resblocks[0].attn.in_proj_weight.data_ptr()


def gradients_of_q(encoder):
    with encoder.exposed():
        found = gradients(encoder, Lora(rank=2))
    return next(grad for name, grad in found.items() if name.endswith("q_proj.lora_up.weight"))


def test_afterwards_nothing_is_left_in_it(both):
    ours, _ = both
    with torch.no_grad():
        before = encoded(ours)
    with frozen(ours.model):
        gradients_of_q(ours)
    with torch.no_grad():
        assert all("forward" not in module.__dict__ for module in ours.model.modules())
        assert all(torch.equal(a, b) for a, b in zip(encoded(ours), before) if a is not None)


def test_its_layers_and_weights_are_named_as_in_files(both):
    ours, theirs = both
    assert {layer.key: layer.shape for layer in ours.layers()}.items() <= {
        layer.key: layer.shape for layer in theirs.layers()}.items()
    assert {weight.name for weight in ours.weights()} == {whole_name(weight.name) for weight in theirs.weights()}


def test_what_the_webui_cannot_apply_to_it_is_left_out(both):
    layers = list(both[0].layers())
    assert not Norm().select_layers(layers) and len(Norm().left_out(layers)) == 2 * len(both[0].resblocks)
    assert all(layer.path.endswith("fc2") for layer in Ia3().select_layers(layers))
    assert not Ia3(layers="attention").left_out(layers)
    biased = {layer.path.rpartition(".")[2] for layer in Full().select_layers(layers)
              if hasattr(Full().make_module(layer), "bias")}
    assert biased == {"out_proj", "fc1", "fc2"}


def test_the_host_is_asked_before_each_attention(both):
    seen = []
    with both[0].exposed(seen.append):
        encoded(both[0])
    assert seen == [block.attn for block in both[0].resblocks] and isinstance(seen[0], nn.MultiheadAttention)


def test_a_new_word_stands_in_it(both):
    ours, theirs = both
    vectors = torch.randn(2, WIDTH)
    plain = encoded(ours, ["a cat"])
    for encoder in both:
        encoder.add_word("cat", vectors)
    with torch.no_grad():
        assert near(encoded(ours, ["a cat"]), encoded(theirs, ["a cat"])) and not near(encoded(ours, ["a cat"]), plain)
