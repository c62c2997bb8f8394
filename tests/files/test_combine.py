"""Files are added up exactly: what the sum adds is the sum of what the files add, whatever they are."""

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from writers import BASE, WAYS, another, file_of, largest_difference, multiplies, plain_deltas, summed

from extension_lib.files.blocks import parse_blocks
from extension_lib.files.combine import Part, Sum, add_up
from extension_lib.files.progress import finished
from extension_lib.files.source import FileProblem, opened

PARTNERS = ("lora", "loha, with convolutions", "full", "norm")


def sum_of(out, *parts, **told):
    return finished(add_up(Sum([Part(*part) for part in parts], out, precision="fp32", overwrite=True, **told)))


def base_for(*ways):
    return BASE if any(multiplies(way) for way in ways) else None


@pytest.mark.once
@pytest.mark.parametrize("partner", PARTNERS)
@pytest.mark.parametrize("way", WAYS)
def test_the_sum_of_two_files_adds_what_both_add(tmp_path, way, partner):
    """Of different kinds, ranks, alphas and parts of the model."""
    one, two = file_of(way), another(partner, tmp_path)
    out = sum_of(tmp_path / "sum.safetensors", (one, 0.7), (two, -1.3), base=base_for(way))
    wanted = summed((plain_deltas(one), 0.7), (plain_deltas(two), -1.3))
    assert largest_difference(plain_deltas(out), wanted) < 1e-5


@pytest.mark.once
@pytest.mark.parametrize("way", WAYS)
def test_twice_a_file_less_the_file_is_the_file(tmp_path, way):
    path = file_of(way)
    out = sum_of(tmp_path / "sum.safetensors", (path, 2.0), (path, -1.0), base=base_for(way))
    assert largest_difference(plain_deltas(out), plain_deltas(path)) < 1e-5


@pytest.mark.once
@pytest.mark.parametrize("way", [way for way in WAYS if not multiplies(way)])
def test_a_scaled_file_keeps_its_kind_and_adds_so_much_more(tmp_path, way):
    path = file_of(way)
    out = sum_of(tmp_path / "scaled.safetensors", (path, -0.6))
    assert largest_difference(plain_deltas(out), summed((plain_deltas(path), -0.6))) < 1e-5
    assert load_file(out).keys() == load_file(path).keys()


def test_factors_added_one_by_one_are_another_thing(tmp_path):
    """The test above can fail."""
    one, two = load_file(file_of("lora")), load_file(another("lora", tmp_path))
    naive = {name: tensor + two[name] if name in two else tensor for name, tensor in one.items()}
    save_file(naive, tmp_path / "naive.safetensors")
    wanted = summed((plain_deltas(file_of("lora")), 1), (plain_deltas(tmp_path / "another.safetensors"), 1))
    assert largest_difference(plain_deltas(tmp_path / "naive.safetensors"), wanted) > 0.1


def test_the_rank_of_a_sum_is_no_larger_than_it_needs_to_be(tmp_path):
    path = file_of("lora")
    out = sum_of(tmp_path / "sum.safetensors", (path, 2.0), (path, -1.0))
    with opened(path) as before, opened(out) as after:
        assert [after.shape(key, "lora_down.weight")[0] for key in after.layers] == [
            before.shape(key, "lora_down.weight")[0] for key in after.layers]


def test_what_cancels_out_is_left_out_and_nothing_at_all_is_no_file(tmp_path):
    path = file_of("lora")
    with pytest.raises(FileProblem, match="Nothing is left"):
        sum_of(tmp_path / "sum.safetensors", (path, 1.0), (path, -1.0))
    assert list(tmp_path.iterdir()) == []


def test_a_kind_that_multiplies_the_base_needs_one(tmp_path):
    with pytest.raises(FileProblem, match="oft.safetensors holds a kind that multiplies .* Name that checkpoint"):
        sum_of(tmp_path / "sum.safetensors", (file_of("oft"), 1.0), (file_of("lora"), 1.0))


def test_blocks_count_as_told(tmp_path):
    path = file_of("lora")
    out = sum_of(tmp_path / "sum.safetensors", (path, 2.0, "IN01:0.25, BASE:0"))
    wanted = {key: delta * (0.5 if "_unet_" in key else 0) for key, delta in plain_deltas(path).items()}
    assert largest_difference(plain_deltas(out), wanted) < 1e-5 and not any("_te_" in name for name in load_file(out))


def test_a_row_of_weights_is_read_as_the_lbw_tag_reads_it():
    from extension_lib.families import SD1, SDXL

    row = dict(parse_blocks("lbw=" + ",".join(map(str, range(17))), SD1))
    assert (row["BASE"], row["IN01"], row["IN04"], row["MID"], row["OUT03"], row["OUT11"]) == (0, 1, 3, 7, 8, 16)
    row = dict(parse_blocks(",".join(map(str, range(12))), SDXL))
    assert (row["IN04"], row["MID"], row["OUT05"], row["IN01"]) == (1, 5, 11, 0)
    assert parse_blocks("OUT03-OUT05:0.5, mid=0", SD1) == {"OUT03": .5, "OUT04": .5, "OUT05": .5, "MID": 0}


@pytest.mark.parametrize("text, said", [("IN44:1", "is no block of Stable Diffusion 1"), ("IN01:much", "is no number"),
                                        ("1,2,3", "3 weights"), ("IN01:1, 5", "'5' is no block")])
def test_wrong_weights_of_blocks_are_one_sentence(text, said):
    from extension_lib.families import SD1

    with pytest.raises(FileProblem, match=said):
        parse_blocks(text, SD1)


def test_a_file_in_the_way_is_kept_unless_it_may_be_replaced(tmp_path):
    out = tmp_path / "sum.safetensors"
    out.write_bytes(b"mine")
    told = Sum([Part(file_of("lora"), 2.0)], out)
    with pytest.raises(FileProblem, match="exists already"):
        finished(add_up(told))
    assert out.read_bytes() == b"mine"
    with pytest.raises(FileProblem, match="one of the files that are read"):
        finished(add_up(Sum([Part(file_of("lora"))], file_of("lora"), overwrite=True)))


def test_the_header_says_what_was_made_of_what(tmp_path):
    import hashlib

    out = sum_of(tmp_path / "sum.safetensors", (file_of("lora"), 1.0), (file_of("loha"), 0.5))
    with safe_open(out, "pt") as file:
        said = file.metadata()
    data = out.read_bytes()
    assert said["ss_output_name"] == "sum" and '"tool": "add"' in said["darkroom_made_by"]
    assert said["sshs_model_hash"] == hashlib.sha256(data[8 + int.from_bytes(data[:8], "little"):]).hexdigest()
    assert said["ss_base_model_version"] == "sd_v1" and data[8:10] == b'{"'


def test_progress_is_told_layer_by_layer(tmp_path):
    told = list(add_up(Sum([Part(file_of("lora"))], tmp_path / "sum.safetensors")))
    assert [one.done for one in told] == list(range(1, len(told) + 1)) and told[-1].share == 1 and told[-1].left == 0


def test_bundled_words_are_kept(tmp_path):
    tensors = {**load_file(file_of("lora")), "bundle_emb.zwx.string_to_param.*": torch.ones(2, 8)}
    save_file(tensors, tmp_path / "bundle.safetensors")
    out = sum_of(tmp_path / "sum.safetensors", (tmp_path / "bundle.safetensors", 2.0))
    assert torch.equal(load_file(out)["bundle_emb.zwx.string_to_param.*"], torch.ones(2, 8))
