"""Other ranks, and differences in full: exact at full rank, and with the error that is told below it."""

import pytest
import torch
from safetensors.torch import load_file
from writers import BASE, WAYS, file_of, largest_difference, multiplies, plain_deltas

from extension_lib.files.progress import finished
from extension_lib.files.resize import Resize, parse_keep, resize
from extension_lib.files.singular import Keep, of_factors, of_matrix
from extension_lib.files.source import FileProblem

OF_MATRICES = [way for way in WAYS if way != "norm"]


def resized(path, out, keep, base=None, precision="fp32"):
    return finished(resize(Resize(path, out, keep, base, precision, overwrite=True)))


def base_for(way):
    return BASE if multiplies(way) else None


def weights_alone(deltas):
    return {key: delta for key, delta in deltas.items() if " " not in key}


@pytest.mark.once
@pytest.mark.parametrize("way", OF_MATRICES)
def test_at_full_rank_any_file_becomes_the_lora_that_it_is(tmp_path, way):
    done = resized(file_of(way), tmp_path / "r.safetensors", Keep(), base_for(way))
    wanted = weights_alone(plain_deltas(file_of(way)))
    assert largest_difference(plain_deltas(done.path), wanted) < 1e-5 and done.error < 1e-5
    assert {name.partition(".")[2] for name in load_file(done.path)} == {"lora_up.weight", "lora_down.weight", "alpha"}


@pytest.mark.once
@pytest.mark.parametrize("way", WAYS)
def test_the_difference_in_full_is_any_file_exactly(tmp_path, way):
    done = resized(file_of(way), tmp_path / "r.safetensors", None, base_for(way))
    assert largest_difference(plain_deltas(done.path), plain_deltas(file_of(way))) < 1e-5


@pytest.mark.once
@pytest.mark.parametrize("way", ["lora", "loha, with convolutions", "oft", "full"])
@pytest.mark.parametrize("keep", [Keep(rank=2), Keep(energy=0.9), Keep(error=0.2), Keep(rank=3, energy=0.99)])
def test_below_it_is_the_best_approximation_and_the_error_told_is_the_error_made(tmp_path, way, keep):
    done = resized(file_of(way), tmp_path / "r.safetensors", keep, base_for(way))
    wanted, found = weights_alone(plain_deltas(file_of(way))), plain_deltas(done.path)
    dropped = total = 0.0
    for key, delta in wanted.items():
        squares = torch.linalg.svdvals(delta.flatten(1).double()).square()
        kept = found[key]
        rank = int((torch.linalg.svdvals(kept.flatten(1).double()) > 1e-6 * squares[0].sqrt()).sum())
        left = squares[rank:].sum()
        assert (delta - kept).double().norm() ** 2 == pytest.approx(left.item(), rel=1e-3, abs=1e-8)
        assert keep.rank is None or rank <= keep.rank
        if keep.error:
            assert left <= keep.error**2 * squares.sum() < squares[rank - 1:].sum()
        dropped, total = dropped + left.item(), total + squares.sum().item()
    assert done.error == pytest.approx((dropped / total) ** 0.5, rel=1e-3, abs=1e-6)


def test_as_few_as_hold_a_share_are_kept():
    squares = torch.tensor([8.0, 1.0, 0.9, 0.1])
    assert [Keep(energy=share).count(squares) for share in (0.5, 0.8, 0.85, 0.95, 0.9999)] == [1, 1, 2, 3, 4]
    assert Keep(error=0.32).count(squares) == 2 and Keep(rank=9).count(squares) == 4


def test_a_matrix_and_its_factors_have_the_same_approximation():
    rng = torch.Generator().manual_seed(0)
    up, down = torch.randn(40, 6, generator=rng), torch.randn(6, 90, generator=rng)
    for matrix in (up @ down, (up @ down).T):
        whole = of_matrix(matrix, Keep(rank=3))
        sides = (up, down) if matrix.shape[0] == 40 else (down.T, up.T)
        product = of_factors(*sides, Keep(rank=3))
        assert torch.allclose(whole.up @ whole.down, product.up @ product.down, atol=1e-5)
        assert whole.dropped == pytest.approx(product.dropped, rel=1e-4) and of_matrix(matrix, Keep()).rank == 6


def test_norms_have_no_place_in_a_lora_and_that_is_told(tmp_path):
    with pytest.raises(FileProblem, match="Nothing is left"):
        resized(file_of("norm"), tmp_path / "r.safetensors", Keep(rank=4))
    done = resized(file_of("full"), tmp_path / "r.safetensors", Keep(rank=4))
    assert done.left_out and all(not name.endswith("diff_b") for name in load_file(done.path))


@pytest.mark.parametrize("told, said", [((0, None, None), "The rank is 0"), ((None, 1.5, None), "energy is 1.5"),
                                        ((None, None, 0.0), "error is 0")])
def test_what_is_out_of_range_is_one_sentence(told, said):
    with pytest.raises(FileProblem, match=said):
        parse_keep(*told)


def test_what_is_saved_in_half_precision_is_what_it_is_in_full_within_its_steps(tmp_path):
    done = resized(file_of("lora"), tmp_path / "r.safetensors", Keep(), precision="fp16")
    assert largest_difference(plain_deltas(done.path), plain_deltas(file_of("lora"))) < 2e-3
    with pytest.raises(FileProblem, match="bf16"):
        resized(file_of("full"), tmp_path / "f.safetensors", None, precision="bf16")
