"""Prompts: literal text, prompt syntax, and chunks."""

from dataclasses import replace

import pytest
import torch

from extension_lib.diffusion.prompts import emphasize, parse_weights, split_into_chunks
from extension_lib.families.family import CHUNK


@pytest.fixture
def tokenizer(view):
    return view.text_encoders[0].tokenizer


def rounded(prompt):
    return [(text, round(weight, 4)) for text, weight in parse_weights(prompt)]


@pytest.mark.parametrize("prompt, expected", [("plain, text", [("plain, text", 1.0)]),
                                              ("a (red) dog", [("a ", 1.0), ("red", 1.1), (" dog", 1.0)]),
                                              ("((x))", [("x", 1.21)]), ("[x]", [("x", 0.9091)]),
                                              ("(x:1.5)", [("x", 1.5)]), ("((a):2)b", [("a", 2.2), ("b", 1.0)]),
                                              (r"ghost \(pac-man\)", [("ghost (pac-man)", 1.0)]),
                                              ("(open", [("open", 1.1)]), ("closed)", [("closed)", 1.0)]),
                                              ("", [("", 1.0)])])
def test_prompt_syntax_gives_the_webui_s_weights(prompt, expected):
    assert rounded(prompt) == expected


def test_literal_text_keeps_its_brackets(tokenizer):
    decoded = tokenizer.decode(split_into_chunks(tokenizer, "ghost_(pac-man) [x]")[0].ids)
    assert "(" in decoded and "]" in decoded
    decoded = tokenizer.decode(split_into_chunks(tokenizer, "ghost_(pac-man) [x]", syntax=True)[0].ids)
    assert "(" not in decoded and "[" not in decoded


@pytest.mark.parametrize("count, expected", [(0, 1), (75, 1), (76, 2), (150, 2), (151, 3)])
def test_long_prompts_take_as_many_chunks_as_they_need(tokenizer, count, expected):
    made = split_into_chunks(tokenizer, "ghost " * count)
    assert len(made) == expected
    assert all(len(c.ids) == len(c.weights) == CHUNK + 2 for c in made)
    assert sum(i not in (tokenizer.bos_token_id, tokenizer.eos_token_id)
               for c in made
               for i in c.ids) == count


def test_a_chunk_ends_at_a_comma_that_is_near(tokenizer):
    first = split_into_chunks(tokenizer, "ghost " * 60 + ", " + "dog " * 40)[0]
    dog = tokenizer("dog", add_special_tokens=False)["input_ids"][0]
    assert dog not in first.ids
    far = split_into_chunks(tokenizer, "ghost " * 40 + ", " + "dog " * 60)[0]
    assert dog in far.ids


def test_break_begins_a_chunk(tokenizer):
    assert len(split_into_chunks(tokenizer, "a ghost BREAK a dog", syntax=True)) == 2
    assert len(split_into_chunks(tokenizer, "a ghost BREAK a dog")) == 1


def test_emphasis_keeps_the_mean():
    hidden = torch.randn(2, 77, 16) + 0.3
    weights = torch.ones(2, 77)
    weights[0, 5] = 1.5
    out = emphasize(hidden, weights)
    assert torch.allclose(out.mean((1, 2)), hidden.mean((1, 2)), atol=1e-5)
    assert torch.equal(out[1], hidden[1])


def test_a_family_without_clip_skip_is_always_encoded_alike(model, monkeypatch):
    monkeypatch.setattr(model, "family", replace(model.family, clip_skip=False))
    with torch.no_grad():
        one, two = (model.encode_prompts(["a ghost"], clip_skip=n).hidden for n in (1, 2))
    assert torch.equal(one, two)


def test_clip_skip_stops_earlier_and_keeps_the_final_norm(view, tokenizer):
    with torch.no_grad():
        one, two = (view.encode_prompts(["a ghost"], clip_skip=n).hidden for n in (1, 2))
        ids = torch.tensor([split_into_chunks(tokenizer, "a ghost")[0].ids])
        states = view.text_models[0](input_ids=ids, output_hidden_states=True).hidden_states
        inner = getattr(view.text_models[0], "text_model", view.text_models[0])
    assert not torch.allclose(one, two, atol=1e-3)
    assert torch.allclose(inner.final_layer_norm(states[-1]), one, atol=1e-5)
    assert torch.allclose(inner.final_layer_norm(states[-2]), two, atol=1e-5)
