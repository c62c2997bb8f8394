"""What a file is, what is wrong with it, and its words: told and changed without touching its tensors."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from writers import BASE, WAYS, file_of, plain_deltas

from extension_lib.families import SD1, SDXL
from extension_lib.files.check import check
from extension_lib.files.combine import Part, Sum, add_up
from extension_lib.files.describe import describe
from extension_lib.files.edit import Edit, edit, preferred_weight, read_words
from extension_lib.files.progress import finished
from extension_lib.files.source import FileProblem

pytestmark = pytest.mark.once

Q = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
HEADER = {"ss_base_model_version": "sd_v1", "ss_sd_model_name": "dream.safetensors", "ss_steps": "1200",
          "ss_unet_lr": "0.0001", "ss_text_encoder_lr": "None", "modelspec.trigger_phrase": "zwx ghost",
          "darkroom_words": '["zwx"]', "modelspec.description": "my ghost",
          "ss_tag_frequency": json.dumps({"10_ghost": {"a ghost": 10, "night": 3, "rain": 5}})}


def written(path, tensors=None, header=None):
    save_file(load_file(file_of("lora")) if tensors is None else tensors, path, header)
    return path


@pytest.mark.parametrize("way", WAYS)
def test_the_kind_family_and_strength_of_every_kind_are_told(way):
    found = finished(describe(file_of(way), BASE))
    named = {"loha, with convolutions": "LoHa", "lokr, whole": "LoKr", "dylora": "LoRA", "locon": "LoRA",
             "full": "Full (difference)", "norm": "Norm", "glora": "GLoRA", "oft": "OFT", "boft": "BOFT"}
    kind, = found.kinds
    assert kind == named.get(way, kind) and kind.endswith("DoRA") == ("DoRA" in way) and found.family is SD1
    squares: dict[str, float] = {}
    for key, delta in plain_deltas(file_of(way)).items():
        block = "BASE" if "_te_" in key else "IN01"
        squares[block] = squares.get(block, 0) + delta.double().square().sum().item()
    assert {block for block, value in found.strength.items() if value > 0} == set(squares) and not found.unknown


def test_the_strength_of_a_block_is_the_norm_of_what_is_added_to_it():
    found = finished(describe(file_of("locon")))
    deltas = plain_deltas(file_of("locon"))
    wanted = sum(d.double().square().sum() for key, d in deltas.items() if "_unet_" in key) ** 0.5
    assert found.strength["IN01"] == pytest.approx(wanted.item(), rel=1e-5) and list(found.strength) == ["BASE", "IN01"]
    assert finished(describe(file_of("oft"))).unknown == len(plain_deltas(file_of("oft")))


def test_the_header_and_the_card_are_told(tmp_path):
    path = written(tmp_path / "a.safetensors", header=HEADER)
    path.with_suffix(".json").write_text('{"activation text": "a zwx ghost", "notes": "mine"}', encoding="utf-8")
    found = finished(describe(path))
    assert found.words == ["zwx", "a zwx ghost", "zwx ghost"] and found.frequent[:2] == ["a ghost", "rain"]
    assert found.base == "dream.safetensors" and found.training == {"steps": "1200", "UNet's rate": "0.0001"}
    assert found.notes == "mine" and dict(found.ranks) == {4: len(found.kinds and plain_deltas(path))}


def test_a_family_is_told_by_names_and_widths(tmp_path):
    def family_of(tensors, header=None):
        return finished(describe(written(tmp_path / "x.safetensors", tensors, header))).family

    pair = {"lora_down.weight": torch.ones(2, 8), "lora_up.weight": torch.ones(8, 2)}
    assert family_of({f"lora_te2_text_model_encoder_layers_0_mlp_fc1.{k}": t for k, t in pair.items()}) is SDXL
    deep = "lora_unet_input_blocks_7_1_transformer_blocks_3_attn1_to_q"
    assert family_of({f"{deep}.{k}": t for k, t in pair.items()}) is SDXL
    wide = {"lora_down.weight": torch.ones(2, 1024), "lora_up.weight": torch.ones(8, 2)}
    key = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k"
    assert family_of({f"{key}.{k}": t for k, t in wide.items()}).name == "sd2"
    assert family_of({f"unet.mid_block.resnets.0.conv1.{k}": t for k, t in pair.items()}) is None
    assert family_of({f"{key}.{k}": t for k, t in pair.items()}, {"modelspec.architecture":
                                                                  "stable-diffusion-xl-v1-base/lora"}) is SDXL


# ---- faults

@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_wrong_with_our_own_files(way):
    assert finished(check(file_of(way))) == [] and finished(check(file_of(way), BASE)) == []


FAULTS = {
    "NaN": (lambda t: t[f"{Q}.lora_up.weight"].fill_(torch.nan), "lora_up.weight holds numbers that are not finite"),
    "half": (lambda t: t.pop(f"{Q}.lora_down.weight"), "lacks lora_down.weight"),
    "ranks apart": (lambda t: t.update({f"{Q}.lora_down.weight": torch.ones(1, 9)}), "does not fit"),
    "strange": (lambda t: t.update({"lora_unet_conv_in.mystery": torch.ones(2)}), "is of no known kind"),
    "huge": (lambda t: t[f"{Q}.lora_up.weight"].fill_(1e6), "numbers beyond 10000"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_and_named(tmp_path, fault):
    tensors = {**load_file(file_of("lora")), f"{Q}.lora_down.weight": torch.ones(4, 96),
               f"{Q}.lora_up.weight": torch.ones(96, 4)}
    change, said = FAULTS[fault]
    change(tensors)
    found = finished(check(written(tmp_path / "a.safetensors", tensors)))
    assert len(found) == 1 and said in found[0].text


def test_what_a_checkpoint_has_no_place_for_is_found(tmp_path, tiny):
    found = finished(check(file_of("lora"), tiny("tiny-xl")))
    assert any("is for Stable Diffusion 1" in one.text or "has no such layer" in one.text for one in found)
    tensors = {**load_file(file_of("lora")), "lora_unet_down_blocks_9_x.diff": torch.ones(2)}
    one, = finished(check(written(tmp_path / "a.safetensors", tensors), BASE))
    assert one.layer == "lora_unet_down_blocks_9_x" and "has no such layer" in one.text


def test_a_file_that_was_changed_after_it_was_saved_and_a_name_given_twice_are_found(tmp_path):
    path = finished(add_up(Sum([Part(file_of("lora"))], tmp_path / "a.safetensors")))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert "hash" in finished(check(path))[0].text
    down = load_file(file_of("lora"))["lora_te_text_model_encoder_layers_0_mlp_fc2.lora_down.weight"]
    twice = {**load_file(file_of("lora")), "lora_te1_text_model_encoder_layers_0_mlp_fc2.lora_down.weight": down}
    assert any("another name" in one.text for one in finished(check(written(tmp_path / "b.safetensors", twice))))


@pytest.mark.parametrize("content", [b"", b"<html>", None])
def test_what_is_no_lora_is_one_sentence(tmp_path, content):
    path = tmp_path / "x.safetensors"
    if content is None:
        path = BASE
    else:
        path.write_bytes(content)
    with pytest.raises(FileProblem, match=path.name):
        finished(describe(path))


# ---- words

def test_words_notes_and_name_are_changed_and_the_tensors_are_not(tmp_path):
    path = written(tmp_path / "a.safetensors", header=HEADER)
    path.with_suffix(".png").write_bytes(b"picture")
    path.with_suffix(".json").write_text('{"sd version": "SD1"}', encoding="utf-8")
    before = load_file(path)
    new = edit(Edit(path, "gespenst 幽灵", "zwx", "notes", 0.8, {"ss_sd_model_name": "", "mine": "1"}))
    with safe_open(new, "pt") as file:
        said = file.metadata()
    assert new.name == "gespenst 幽灵.safetensors" and not path.exists()
    assert said["ss_output_name"] == "gespenst 幽灵" and said["modelspec.trigger_phrase"] == "zwx"
    assert "ss_sd_model_name" not in said and said["mine"] == "1" and said["ss_steps"] == "1200"
    assert json.loads(new.with_suffix(".json").read_text(encoding="utf-8")) == {
        "sd version": "SD1", "activation text": "zwx", "notes": "notes", "preferred weight": 0.8}
    assert new.with_suffix(".png").read_bytes() == b"picture" and preferred_weight(new) == 0.8
    assert all(torch.equal(before[name], tensor) for name, tensor in load_file(new).items())
    assert read_words(new) == (new.stem, "zwx", 0.8, "notes")


def test_a_name_that_is_taken_is_kept(tmp_path):
    path, other = written(tmp_path / "a.safetensors"), written(tmp_path / "b.safetensors")
    before = other.read_bytes()
    with pytest.raises(FileProblem, match="exists already"):
        edit(Edit(path, "b"))
    assert other.read_bytes() == before and path.exists()


def test_a_pickle_keeps_its_words_on_its_card_alone(tmp_path):
    torch.save(load_file(file_of("lora")), tmp_path / "a.pt")
    edit(Edit(tmp_path / "a.pt", words="zwx"))
    assert read_words(tmp_path / "a.pt").words == "zwx"
    with pytest.raises(FileProblem, match="Convert it to safetensors"):
        edit(Edit(tmp_path / "a.pt", fields={"x": "1"}))
