"""A checkpoint's layers as a tree of torch's own modules, under the names by which a program knows them."""

import re
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from extension_lib.export.tensor_part import take_part, whole_name
from extension_lib.files.base import Checkpoint
from extension_lib.methods.adapter import BIAS

CLASSES = (  # of diffusers' and transformers', by which kohya's scripts find layers
    (re.compile(r"(.+\.)?attentions\.\d+$"), "Transformer2DModel"),
    (re.compile(r"(.+\.)?resnets\.\d+$"), "ResnetBlock2D"),
    (re.compile(r"(.+\.)?downsamplers\.\d+$"), "Downsample2D"), (re.compile(r"(.+\.)?upsamplers\.\d+$"), "Upsample2D"),
    (re.compile(r".+\.self_attn$"), "CLIPAttention"), (re.compile(r".+\.mlp$"), "CLIPMLP"))
Values = dict[str, Tensor]


def layer_of(path: str, weight: Tensor, bias: Tensor | None) -> nn.Module:
    """A layer of torch with these values."""
    made: Any
    if weight.dim() == 4:
        kernel = weight.shape[2], weight.shape[3]
        made = nn.Conv2d(weight.shape[1], weight.shape[0], kernel, padding=kernel[0] // 2, bias=bias is not None,
                         device="meta")
    elif weight.dim() == 2:
        made = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    else:
        token = re.search(r"transformer_blocks|layer_norm|ln_", path)
        made = nn.LayerNorm(len(weight)) if token else nn.GroupNorm(min(32, len(weight)), len(weight))
    fill(made, weight=weight, bias=bias)
    return made


def fill(module: nn.Module, **values: Tensor | None) -> None:
    for name, value in values.items():
        if value is not None:
            setattr(module, name, nn.Parameter(value.clone().float(), requires_grad=False))


def attention_of(values: Values) -> nn.MultiheadAttention:
    """OpenCLIP's fused attention."""
    width = values["in_proj_weight"].shape[1]
    made = nn.MultiheadAttention(width, 4, device="meta")
    fill(made, in_proj_weight=values["in_proj_weight"], in_proj_bias=values["in_proj_bias"])
    fill(made.out_proj, weight=values["out_proj.weight"], bias=values["out_proj.bias"])
    return made


def put(root: nn.Module, path: str, module: nn.Module, named: Callable[[str], str] = lambda path: "Module") -> None:
    """Hangs a module in the tree. named: the class of what lies between, by its path."""
    *above, last = path.split(".")
    place, walked = root, []
    for name in above:
        walked.append(name)
        if name not in place._modules:
            place.add_module(name, type(named(".".join(walked)), (nn.Module,), {})())
        place = place.get_submodule(name)
    place.add_module(last, module)


def class_of(path: str) -> str:
    return next((name for pattern, name in CLASSES if pattern.match(path)), "Module")


def ldm_tree(base: Checkpoint, prefix: str) -> nn.Module:
    """The layers whose names begin so, under the checkpoint's own names."""
    root, names = nn.Module(), {whole_name(name) for name in base.places.values()}
    paths: dict[str, Values] = {}
    for name in sorted(n for n in names if n.startswith(prefix)):
        path, _, leaf = name.removeprefix(prefix).rpartition(".")
        if ".attn." in f".{path}." and "resblocks" in path:
            path, _, rest = path.rpartition(".attn") if not path.endswith(".attn") else (path[:-5], "", "")
            paths.setdefault(f"{path}.attn", {})[f"{rest.lstrip('.')}.{leaf}".lstrip(".")] = base.file.get_tensor(name)
        elif leaf in ("weight", "bias"):
            paths.setdefault(path, {})[leaf] = base.file.get_tensor(name)
    for path, values in paths.items():
        if "in_proj_weight" in values:
            put(root, path, attention_of(values))
        elif "weight" in values and "embedding" not in path:
            put(root, path, layer_of(path, values["weight"], values.get("bias")))
    return root


def named_tree(base: Checkpoint, part: Callable[[str], bool], path_of: Callable[[str], str],
               classes: Callable[[str], str] = class_of) -> nn.Module:
    """The layers of one part of the model, by the paths that path_of gives for their keys."""
    root = nn.Module()
    for key in dict.fromkeys(key for key, _ in base.places):
        if part(key) and "embedding" not in key.replace("time_embedding", "").replace("add_embedding", ""):
            bias = base.parameter(key, "bias") if base.has(key, "bias") else None
            put(root, path_of(key), layer_of(path_of(key), base.parameter(key).contiguous(), bias), classes)
    return root


def state_of(roots: Iterable[tuple[str, nn.Module]]) -> Values:
    return {prefix + name: p.detach().clone() for prefix, root in roots for name, p in root.named_parameters()}


def gained(before: Values, after: Values, names: dict[tuple[str, str], str]) -> Values:
    """By key, what was added to weights, by "KEY bias" to biases. names: of parameters, by key and leaf."""
    found = {}
    for (key, leaf), name in names.items():
        whole = whole_name(name)
        if whole in after and not torch.equal(before[whole], after[whole]):
            change = take_part(name, after[whole].double() - before[whole].double())
            found[key if leaf == "weight" else key + BIAS] = change.float()
    return found
