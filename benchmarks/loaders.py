"""The loaders of other programs, run from their own code on a small model: what a file adds to each of its weights.

Beside their code stand what they ask of the rest of their programs: a model's layers by name, and a few settings.
python -m benchmarks.loaders LOADER CASES reads JSON and says what each file added, compared with what it should.
"""

import ast
import contextlib
import io
import json
import os
import sys
import tempfile
import types
from collections.abc import Callable
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from extension_lib.export.lora import adapter_delta, read_adapter
from extension_lib.files import keys
from extension_lib.files.base import Checkpoint, opened_checkpoint
from extension_lib.files.layouts import COMFY_TEXT
from extension_lib.methods.adapter import BIAS

from .module_tree import Values, class_of, gained, ldm_tree, named_tree, state_of

Load = Callable[[Checkpoint, Path, float], Values]  # a checkpoint, a file, its strength: what is added, by key
BLOCKS = ("attentions", "resnets", "upsamplers", "downsamplers")  # whose modules kohya's scripts look for
FLOOR = 1e-6  # relative to the largest delta: a smaller one counts as zero
ROUNDING = 2**-24  # of a sum in fp32, relative: that of a weight with what is added to it is no loader's fault


class Refused(Exception):
    """The loader takes nothing of the file, and says so."""


def folder_of(variable: str) -> Path:
    return Path(os.environ[variable])


# ---- what a model is to them


def comfy_names(base: Checkpoint) -> dict[tuple[str, str], str]:
    """By key and leaf, ComfyUI's and Forge's names of parameters."""
    text = COMFY_TEXT[base.family.name]
    named = {}
    for key, leaf in base.places:
        part = keys.part_of(key)
        path = keys.compvis_path(key, base.family) if part == "unet" else keys.path_of(key)
        named[key, leaf] = f"diffusion_model.{path}.{leaf}" if part == "unet" else (
            f"{text[part]}.transformer.{path}.{leaf}")
    return named


@cache
def unet_config(family: str) -> dict[str, Any]:
    """As ComfyUI and Forge detect it."""
    if family == "sdxl":  # of the small checkpoint: transformers of 1 and 2 blocks
        return {"num_res_blocks": [2, 2, 2], "channel_mult": [1, 2, 4], "transformer_depth": [0, 0, 1, 1, 2, 2],
                "transformer_depth_output": [0, 0, 0, 1, 1, 1, 2, 2, 2], "transformer_depth_middle": 2}
    return {"num_res_blocks": [2, 2, 2, 2], "channel_mult": [1, 2, 4, 4],
            "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0], "transformer_depth_middle": 1,
            "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0]}


@cache
def named_values(path: Path, unet: bool) -> Values:
    with opened_checkpoint(path) as base:
        return {name: base.parameter(*place).float().contiguous().clone()
                for place, name in comfy_names(base).items() if name.startswith("diffusion_model.") == unet}


class Named:
    """A model as far as their loaders look at it: its parameters by name."""

    def __init__(self, base: Checkpoint, unet: bool):
        self.values = named_values(base.path, unet)
        config = unet_config(base.family.name)
        self.model_config = types.SimpleNamespace(unet_config=config)
        self.diffusion_model = types.SimpleNamespace(config=config)
        self.config = types.SimpleNamespace(huggingface_repo="")

    def state_dict(self) -> Values:
        return self.values


class Patcher:
    """What Forge hands around in place of a model."""

    def __init__(self, model: Any):
        self.model = self.cond_stage_model = model
        self.patches: dict[str, Any] = {}

    def clone(self) -> "Patcher":
        return Patcher(self.model)

    def add_patches(self, *, filename: str, patches: Any, strength_patch: float, online_mode: bool) -> list[str]:
        known = {key: patch for key, patch in patches.items() if base_key(key) in self.model.values}
        self.patches = {key: (strength_patch, patch) for key, patch in known.items()}
        return list(known)


def base_key(key: Any) -> str:
    return key if isinstance(key, str) else key[0]


# ---- the loaders


def stand_in(name: str, **values: Any) -> Any:
    module: Any = types.ModuleType(name)
    vars(module).update(values)
    sys.modules[name] = module
    parent, _, leaf = name.rpartition(".")
    if parent in sys.modules:
        setattr(sys.modules[parent], leaf, module)
    return module


def forge() -> Load:
    """backend/patcher/lora.py, and load_lora_for_models of extensions-builtin/sd_forge_lora/networks.py."""
    root = folder_of("FORGE_DIR")
    sys.path[:0] = [str(root), str(root / "extensions-builtin" / "sd_forge_lora")]
    sys.argv = [sys.argv[0]]
    stand_in("packages_3rdparty.gguf")
    management = {"cast_to_device": lambda t, device, dtype, copy=False: t.to(device, dtype, copy=copy)}
    backend = types.ModuleType("backend")
    backend.__path__ = [str(root / "backend")]
    sys.modules["backend"] = backend
    stand_in("backend.memory_management", **management)
    stand_in("backend.utils")
    stand_in("backend.operations")
    from backend.patcher import lora  # type: ignore[import-not-found]

    source = ast.parse((root / "extensions-builtin" / "sd_forge_lora" / "networks.py").read_text(encoding="utf-8"))
    wanted = [node for node in source.body if getattr(node, "name", "") == "load_lora_for_models"]
    names: dict[str, Any] = {**vars(lora)}
    exec(compile(ast.Module(wanted, []), "networks.py", "exec"), names)

    def load(base: Checkpoint, path: Path, strength: float) -> Values:
        unet, text, said = Patcher(Named(base, True)), Patcher(Named(base, False)), io.StringIO()
        with contextlib.redirect_stdout(said):
            patched = names["load_lora_for_models"](unet, text, load_file(path), strength, strength, path.name)
        if "mismatch" in said.getvalue() and not any(one.patches for one in patched):
            raise Refused(said.getvalue().strip().splitlines()[-1])
        before, after = {**unet.model.values, **text.model.values}, {}
        for one in patched:
            for key, (factor, patch) in one.patches.items():
                weight = one.model.values[key]
                after[key] = lora.merge_lora_to_weight([(factor, patch, 1.0, None, None)], weight.clone(), key)
        return gained(before, {**before, **after}, comfy_names(base))

    return load


def comfyui() -> Load:
    """comfy/lora.py, lora_convert.py and weight_adapter/."""
    root = folder_of("COMFY_DIR")
    sys.path.insert(0, str(root))
    comfy = types.ModuleType("comfy")
    comfy.__path__ = [str(root / "comfy")]
    sys.modules["comfy"] = comfy
    stand_in("comfy.model_management",
             cast_to_device=lambda t, device, dtype, copy=False: t.to(device, dtype, copy=copy))
    other = type("Other", (), {})
    kinds = ("StableCascade_C", "SD3", "AuraFlow", "PixArt", "HunyuanDiT", "Flux", "GenmoMochi", "HunyuanVideo",
             "HiDream", "ACEStep", "Omnigen2", "QwenImage")
    stand_in("comfy.model_base", **dict.fromkeys(kinds, other))
    source = ast.parse((root / "comfy" / "utils.py").read_text(encoding="utf-8"))
    wanted = [node for node in source.body if getattr(node, "name", "") == "unet_to_diffusers" or
              getattr(getattr(node, "targets", [None])[0], "id", "").startswith(("UNET_MAP", "TRANSFORMER_BLOCKS"))]
    utils = stand_in("comfy.utils")
    exec(compile(ast.Module(wanted, []), "utils.py", "exec"), vars(utils))
    import comfy.lora as lora  # type: ignore[import-not-found]
    import comfy.lora_convert as lora_convert  # type: ignore[import-not-found]

    def load(base: Checkpoint, path: Path, strength: float) -> Values:
        unet, text = Named(base, True), Named(base, False)
        known = lora.model_lora_keys_clip(text, lora.model_lora_keys_unet(unet, {}))
        patches = lora.load_lora(lora_convert.convert_lora(load_file(path)), known, log_missing=False)
        before = {**unet.values, **text.values}
        after = {**before}
        for key, patch in patches.items():
            if key in before:
                after[key] = lora.calculate_weight([(strength, patch, 1.0, None, None)], before[key].clone(), key)
        return gained(before, after, comfy_names(base))

    return load


def a1111() -> Load:
    """extensions-builtin/Lora: load_network, and network_apply_weights on each layer."""
    root = folder_of("WEBUI_DIR")
    lora_folder = root / "extensions-builtin" / "Lora"
    sys.path.insert(0, str(lora_folder))
    for name in ("modules", "modules.models", "modules.models.sd3", "modules.textual_inversion"):
        stand_in(name).__path__ = []
    stand_in("modules.models.sd3.mmdit", QkvLinear=type("QkvLinear", (), {}))
    cpu = torch.device("cpu")
    folders = types.SimpleNamespace(lora_dir=tempfile.mkdtemp(), lyco_dir_backcompat="")
    shared = stand_in("modules.shared", opts=types.SimpleNamespace(lora_functional=False), sd_model=None,
                      cmd_opts=folders, walk_files=lambda *told, **more: [])
    stand_in("modules.devices", cpu=cpu, dtype=torch.float32)
    for name in ("cache", "hashes", "scripts", "sd_hijack", "patches", "errors"):
        stand_in(f"modules.{name}")
    stand_in("modules.sd_models", read_state_dict=load_file)
    stand_in("modules.textual_inversion.textual_inversion")
    counted = stand_in("extra_network_lora", errors={})
    stand_in("lora_patches")
    import networks  # type: ignore[import-not-found]

    networks.extra_network_lora = counted

    def load(base: Checkpoint, path: Path, strength: float) -> Values:
        model, trees = webui_model(base)
        shared.sd_model = model
        networks.assign_network_names_to_compvis_modules(model)
        before = state_of(trees)
        disk = types.SimpleNamespace(filename=str(path), name=path.stem)
        network = networks.load_network(path.stem, disk)
        network.te_multiplier = network.unet_multiplier = strength
        networks.loaded_networks[:] = [network]
        counted.errors.clear()
        for module in model.network_layer_mapping.values():
            if type(module) in (nn.Linear, nn.Conv2d, nn.GroupNorm, nn.LayerNorm, nn.MultiheadAttention):
                networks.network_apply_weights(module)
        return gained(before, state_of(trees), dict(base.places))

    return load


def webui_model(base: Checkpoint) -> tuple[Any, list[tuple[str, nn.Module]]]:
    """A model as the WebUI holds it, and its trees with what their names begin with in checkpoints."""
    unet = ldm_tree(base, "model.")
    trees = [("model.", unet)]
    if base.family.name == "sdxl":
        texts = [ldm_tree(base, f"conditioner.embedders.{n}.") for n in (0, 1)]
        trees += [(f"conditioner.embedders.{n}.", text) for n, text in enumerate(texts)]
        held: Any = types.SimpleNamespace(embedders=[types.SimpleNamespace(wrapped=text) for text in texts])
        model = types.SimpleNamespace(is_sdxl=True, conditioner=held, model=unet)
    else:
        text = ldm_tree(base, "cond_stage_model.")
        trees.append(("cond_stage_model.", text))
        model = types.SimpleNamespace(is_sdxl=False, cond_stage_model=types.SimpleNamespace(wrapped=text), model=unet)
    return model, trees


def script_trees(base: Checkpoint) -> tuple[nn.Module, list[nn.Module], dict[tuple[str, str], str]]:
    """UNet and text encoders as kohya's scripts hold them, and by key and leaf the names of their parameters."""
    compvis = base.family.lora_names == "compvis"

    def path(key: str) -> str:
        return keys.compvis_path(key, base.family) if compvis and keys.part_of(key) == "unet" else keys.path_of(key)

    theirs = {".".join(path(key).split(".")[:n]): class_of(".".join(keys.path_of(key).split(".")[:m]))
              for key, _ in base.places if keys.part_of(key) == "unet"
              for n, m in levels(path(key), keys.path_of(key))}
    unet = named_tree(base, partial(is_of, "unet"), path,
                      lambda p: theirs.get(p, "Module") if compvis else class_of(p))
    texts = [named_tree(base, partial(is_of, encoder.part), keys.path_of) for encoder in base.family.text_encoders]
    order = {"unet": "0", **{encoder.part: str(n + 1) for n, encoder in enumerate(base.family.text_encoders)}}
    names = {(key, leaf): f"{order[keys.part_of(key)]}.{path(key)}.{leaf}" for key, leaf in base.places}
    return unet, texts, names


def is_of(part: str, key: str) -> bool:
    return keys.part_of(key) == part


def levels(compvis: str, diffusers: str) -> list[tuple[int, int]]:
    """The module of a transformer or a residual block: how many names its two paths have."""
    theirs, ours = compvis.split("."), diffusers.split(".")
    where = next((n for n, name in enumerate(ours) if name in BLOCKS), None)
    return [] if where is None else [(2 if theirs[0] == "middle_block" else 3, where + 2)]


def script_loader(create: Callable[..., Any], merge: Callable[..., None]) -> Load:
    def load(base: Checkpoint, path: Path, strength: float) -> Values:
        unet, texts, names = script_trees(base)
        held = [(f"{n}.", root) for n, root in enumerate([unet, *texts])]
        before = state_of(held)
        encoder = texts if len(texts) > 1 else texts[0]
        network, weights = create(strength, str(path), encoder, unet)
        merge(network, encoder, unet, weights, strength)
        return gained(before, state_of(held), names)

    return load


def kohya() -> Load:
    """networks/lora.py."""
    sys.path.insert(0, str(folder_of("KOHYA_DIR")))
    library = stand_in("library")
    library.__path__ = []
    stand_in("library.utils", setup_logging=lambda: None)
    xl = type("SdxlUNet2DConditionModel", (nn.Module,), {})
    stand_in("library.sdxl_original_unet", SdxlUNet2DConditionModel=xl)
    stand_in("library.sdxl_model_util")
    import networks.lora as lora  # type: ignore[import-not-found]

    def create(strength: float, path: str, encoder: Any, unet: nn.Module) -> Any:
        if isinstance(encoder, list):
            unet.__class__ = xl
        with contextlib.redirect_stdout(io.StringIO()):
            return lora.create_network_from_weights(strength, path, None, encoder, unet, for_inference=True)

    def merge(network: Any, encoder: Any, unet: nn.Module, weights: Values, strength: float) -> None:
        network.merge_to(encoder, unet, weights, torch.float32, "cpu")

    return script_loader(create, merge)


def lycoris() -> Load:
    """lycoris.kohya, as kohya's scripts call it; it merges at strength 1 alone, its own networks at any."""
    from lycoris import kohya as lora
    from lycoris.wrapper import LycorisNetwork

    def create(strength: float, path: str, encoder: Any, unet: nn.Module) -> Any:
        with contextlib.redirect_stdout(io.StringIO()):
            return lora.create_network_from_weights(strength, path, None, encoder, unet, for_inference=True)

    def merge(network: Any, encoder: Any, unet: nn.Module, weights: Values, strength: float) -> None:
        network.loras = network.text_encoder_loras + network.unet_loras
        LycorisNetwork.merge_to(network, strength)

    return script_loader(create, merge)


def diffusers() -> Load:
    """load_lora_weights and fuse_lora of its pipelines."""
    from extension_lib.models.detect import require_trainable
    from extension_lib.models.diffusers_pipeline import diffusion_of, load_pipeline
    from extension_lib.models.diffusers_view import DiffusersView

    def load(base: Checkpoint, path: Path, strength: float) -> Values:
        pipeline = load_pipeline(base.path, torch.float32)
        kind = require_trainable(base.path)
        view = DiffusersView(pipeline, torch.device("cpu"), torch.float32, base.family, diffusion_of(pipeline, kind))
        layers = {keys.common_key(layer.key.replace("lora_te1_", "lora_te_")): layer.module for layer in view.layers()}
        before = {(key, leaf): p.detach().clone() for key, module in layers.items()
                  for leaf, p in module.named_parameters()}
        try:
            pipeline.load_lora_weights(str(path))
        except (ValueError, KeyError, RuntimeError, IndexError) as error:
            raise Refused(str(error).splitlines()[0]) from None
        pipeline.fuse_lora(components=[c for c in ("unet", "text_encoder", "text_encoder_2")
                                       if c in pipeline._lora_loadable_modules and pipeline.components.get(c)],
                           lora_scale=strength)
        pipeline.unload_lora_weights()
        found = {}
        for (key, leaf), value in before.items():
            now = getattr(layers[key], leaf)
            if not torch.equal(now, value):
                found[key if leaf == "weight" else key + BIAS] = (now.double() - value.double()).float().detach()
        return found

    return load


LOADERS: dict[str, Callable[[], Load]] = {"a1111": a1111, "forge": forge, "comfyui": comfyui, "diffusers": diffusers,
                                          "lycoris": lycoris, "kohya": kohya}
NEEDS = {"a1111": "WEBUI_DIR", "forge": "FORGE_DIR", "comfyui": "COMFY_DIR", "kohya": "KOHYA_DIR"}


# ---- what they should add


@lru_cache(1)
def wanted_of(path: Path, base: Path) -> Values:
    with opened_checkpoint(base) as checkpoint:
        return wanted(path, checkpoint)


def wanted(path: Path, base: Checkpoint) -> Values:
    found = {}
    for own, tensors in read_adapter(path).items():
        key = keys.common_key(own)
        delta = adapter_delta(own, tensors, base.parameter(key).float())
        found[key] = delta.weight
        if delta.bias is not None:
            found[key + BIAS] = delta.bias
    return {key: delta for key, delta in found.items() if delta.any()}


def largest_difference(found: Values, should: dict[str, Tensor], base: Checkpoint | None = None) -> tuple[float, str]:
    """(relative, of which weight)."""
    floor = FLOOR * max(delta.norm().item() for delta in should.values())
    worst = (0.0, "")
    for key in {*found, *should}:
        delta, other = found.get(key), should.get(key)
        size = max(other.norm().item() if other is not None else 0.0, floor)
        if delta is None or other is None:
            error = 1.0
        else:
            off = (delta - other.reshape(delta.shape)).norm().item() - rounding(base, key)
            error = max(off, 0.0) / size if off == off else 1.0  # not a number
        worst = max(worst, (error, key))
    return worst


def rounding(base: Checkpoint | None, key: str) -> float:
    if base is None:
        return 0.0
    weight = base.parameter(key.removesuffix(BIAS), "bias" if key.endswith(BIAS) else "weight")
    return ROUNDING * weight.float().norm().item()


def main() -> None:
    name, cases = sys.argv[1], json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    torch.set_grad_enabled(False)
    load = LOADERS[name]()
    for case in cases:
        with opened_checkpoint(Path(case["base"])) as base:
            should = wanted_of(Path(case["exact"]), base.path)
            said: dict[str, Any] = {"id": case["id"]}
            try:
                found = load(base, Path(case["file"]), case["strength"])
                scaled = {key: delta * case["strength"] for key, delta in should.items()}
                said["difference"], said["at"] = largest_difference(found, scaled, base)
            except Refused as refused:
                said["refused"] = str(refused)
            except Exception as error:  # noqa: BLE001  # whatever another program's code may raise
                said["refused"] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
