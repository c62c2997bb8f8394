"""Small LoRA files for tests of tools: of every method, and in the layouts of other programs, with what they add."""

import torch
from adapters import WAYS, file_of
from helpers import BASE
from safetensors.torch import load_file

from extension_lib.export.lora import adapter_delta, read_adapter
from extension_lib.files.base import opened_checkpoint
from extension_lib.files.keys import common_key
from extension_lib.methods.adapter import BIAS
from extension_lib.support.seeds import generator_for

MULTIPLYING = ("oft", "boft", "ia3", "glora", "DoRA")


def multiplies(way):
    return any(kind in way for kind in MULTIPLYING)


def plain_deltas(path, base=BASE):
    """By key, what a file adds to the weights of a checkpoint, computed plainly: each layer alone, in fp32."""
    found = {}
    with opened_checkpoint(base) as checkpoint:
        for own, tensors in read_adapter(path).items():
            key = common_key(own)
            delta = adapter_delta(key, tensors, checkpoint.parameter(key).float())
            found[key] = delta.weight
            if delta.bias is not None:
                found[key + BIAS] = delta.bias
    return found


def summed(*weighted):
    """Of (deltas, factor)."""
    found: dict[str, torch.Tensor] = {}
    for deltas, factor in weighted:
        for key, delta in deltas.items():
            found[key] = found.get(key, 0) + delta * factor
    return found


def largest_difference(found, wanted):
    """Relative to the size of each layer's; a layer that is missing on one side counts as zero there."""
    floor = 1e-6 * max(delta.norm().item() for delta in wanted.values())
    errors = {key: (found.get(key, torch.zeros(())) - wanted.get(key, torch.zeros(()))).norm().item()
              / max(wanted[key].norm().item() if key in wanted else 0.0, floor) for key in {*found, *wanted}}
    return max(errors.values())


def another(way, tmp_path):
    """A file of the way with other numbers of another alpha, and without its text encoder."""
    from safetensors.torch import save_file

    tensors = {name: other(name, tensor) for name, tensor in load_file(file_of(way)).items() if "_te_" not in name}
    save_file(tensors, tmp_path / "another.safetensors")
    return tmp_path / "another.safetensors"


def other(name, tensor):
    if not tensor.is_floating_point() or "dora_scale" in name:
        return tensor
    if name.endswith(".alpha"):
        return tensor * 1.5
    return 0.1 * torch.randn(tensor.shape, generator=generator_for("another", name))


__all__ = ["BASE", "WAYS", "another", "file_of", "largest_difference", "multiplies", "plain_deltas", "summed"]
