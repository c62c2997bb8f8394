"""For tests alone: what the WebUI's loaded model makes of prompts, borrowed or not, and what a LoRA does to its live
weights, and what a step of training learns from.
"""

import sys
from pathlib import Path

import torch
from fastapi import Body
from modules import devices, lowvram, prompt_parser, script_callbacks, script_loading, sd_models_config, shared
from safetensors.torch import load_file
from torch import nn

ROWS = ("_q_proj", "_k_proj", "_v_proj")  # the thirds of in_proj_weight


def condition(prompts: list[str] = Body(), width: int = Body(), height: int = Body(), negative: bool = Body()) -> dict:
    """crossattn, and vector where the family has one."""
    asked = prompt_parser.SdConditioning(prompts, is_negative_prompt=negative, width=width, height=height)
    with torch.no_grad(), devices.autocast():
        made = shared.sd_model.get_learned_conditioning(asked)
    made = made if isinstance(made, dict) else {"crossattn": made}
    return {name: value.float().tolist() for name, value in made.items()}


def borrowed_condition(prompts: list[str] = Body(), width: int = Body(), height: int = Body(),
                       negative: bool = Body()) -> dict:
    """The same by our view of the model while it is borrowed, as training and drawing ask it."""
    model, ldm = sys.modules["extension_lib.model"], sys.modules["extension_lib.models.ldm_view"]
    host = sys.modules["extension_lib.hosts.webui"].host()
    framing = model.Framing((height, width), (0, 0), (height, width))
    with host.borrow(host.current()) as view, torch.no_grad(), view.autocast():
        made = view.encode_prompts(prompts, syntax=True).sized(model.sizes_of([framing] * len(prompts)))
        if negative and view.family.sized:
            made = made.zeroed([not prompt for prompt in prompts])
    found = {"crossattn": made.hidden.float().tolist()}
    if made.pooled is not None:
        found["vector"] = torch.cat([made.pooled, ldm.size_vectors(made.sizes)], dim=1).float().tolist()
    return found


def one_step(settings: dict = Body(), batches: dict = Body(), given: str = Body(),
             gradients: str = Body()) -> dict[str, float]:
    """Losses and gradients by our view of the model; loaded late, because what it needs is heavy."""
    shared_with_tests = script_loading.load_module(str(Path(__file__).resolve().parents[1] / "one_step.py"))
    host = sys.modules["extension_lib.hosts.webui"].host()
    return shared_with_tests.losses(host, settings, batches, given, gradients)


def deltas(name: str = Body(), expected: str = Body()) -> dict:
    """Loads this LoRA at weight 1 and unloads it again.

    expected: a file of what should be added, by the layer's key, to its bias by "KEY bias". Given back for each of
    them: the norms of the error, of what should be added and of the weight; and what was not found, or changed though
    it should not.
    """
    networks, wanted = sys.modules["networks"], load_file(expected)
    apply([])
    before = live_weights()
    networks.load_networks([name], dyn_dims=[None])
    places = {key: place for net in networks.loaded_networks for module in net.modules.values()
              for key, place in places_of(module)}
    apply([name])
    after = live_weights()
    apply([])
    restored = live_weights()
    found = {key: compare(before, after, places[key], delta) for key, delta in wanted.items() if key in places}
    expected_to_change = {places[key][0] for key in found}
    return {"layers": found, "missing": sorted(wanted.keys() - found.keys()),
            "others": sorted(n for n in before if n not in expected_to_change and not torch.equal(before[n], after[n])),
            "left": sorted(n for n in before if not torch.equal(before[n], restored[n]))}


def apply(names: list[str]) -> None:
    """As their forward does. The last layer of a MultiheadAttention has none: it would be changed twice."""
    networks = sys.modules["networks"]
    networks.load_networks(names, dyn_dims=[None] * len(names))
    with torch.no_grad():
        for module in shared.sd_model.network_layer_mapping.values():
            if isinstance(module, (nn.Linear, nn.Conv2d, nn.GroupNorm, nn.LayerNorm, nn.MultiheadAttention)) and not (
                    isinstance(module, nn.modules.linear.NonDynamicallyQuantizableLinear)):
                networks.network_apply_weights(module)


def live_weights() -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in shared.sd_model.named_parameters()}


def places_of(module):
    """Where what a network's module adds belongs: the parameter's name, and its rows."""
    key, held = module.network_key.partition(".")[0], module.sd_module
    names = {id(p): name for name, p in shared.sd_model.named_parameters()}
    if isinstance(held, nn.MultiheadAttention):
        width, part = held.embed_dim, next(n for n, ending in enumerate(ROWS) if module.sd_key.endswith(ending))
        rows = slice(part * width, (part + 1) * width)
        return [(key, (names[id(held.in_proj_weight)], rows)), (f"{key} bias", (names[id(held.in_proj_bias)], rows))]
    return [(f"{key}{' bias' if leaf == 'bias' else ''}", (names[id(p)], slice(None)))
            for leaf, p in held.named_parameters(recurse=False)]


def compare(before, after, place, delta) -> dict[str, float]:
    name, rows = place
    weight, changed = before[name][rows].double(), after[name][rows].double()
    error = (changed - weight - delta.double().reshape(weight.shape)).norm().item()
    return {"error": error, "delta": delta.double().norm().item(), "weight": weight.norm().item()}


def low_memory() -> dict:
    """What the WebUI's low-memory mode has left on the model: hooks in their order, wraps, and what is where."""
    vae = shared.sd_model.first_stage_model
    return {"hooks": {name: [function_name(hook) for hook in module._forward_pre_hooks.values()]
                      for name, module in shared.sd_model.named_modules() if module._forward_pre_hooks},
            "wraps": {name: function_name(getattr(vae, name)) for name in ("encode", "decode")},
            "on device": labels().get(id(lowvram.module_in_gpu))}


def moves(prompt: str = Body(embed=True)) -> list:
    """Which modules a picture moves where. "cpu:0" stands for a graphics card."""
    from modules import processing

    told, known, to, device = [], labels(), nn.Module.to, devices.device

    def recorded(module, *where, **more):
        told.append([known.get(id(module)), str(where[0] if where else more.get("device"))])
        return to(module, *where, **more)

    nn.Module.to, devices.device = recorded, torch.device("cpu:0")
    try:
        processing.process_images(processing.StableDiffusionProcessingTxt2Img(
            sd_model=shared.sd_model, prompt=prompt, seed=1, steps=2, width=64, height=64, sampler_name="Euler",
            do_not_save_samples=True, do_not_save_grid=True))
    finally:
        nn.Module.to, devices.device = to, device
    return told


def describe_xl(described: str = Body(embed=True)) -> None:
    """Takes this .yaml for that of any SDXL without one of its own, as tiny ones are not built as the full ones are."""
    sd_models_config.config_sdxl = described


def labels() -> dict[int, str]:
    return {id(module): name for name, module in shared.sd_model.named_modules()}


def function_name(function) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def routes(_, app):
    app.add_api_route("/darkroom-test/condition", condition, methods=["POST"])
    app.add_api_route("/darkroom-test/borrowed-condition", borrowed_condition, methods=["POST"])
    app.add_api_route("/darkroom-test/one-step", one_step, methods=["POST"])
    app.add_api_route("/darkroom-test/deltas", deltas, methods=["POST"])
    app.add_api_route("/darkroom-test/low-memory", low_memory, methods=["POST"])
    app.add_api_route("/darkroom-test/describe-xl", describe_xl, methods=["POST"])
    app.add_api_route("/darkroom-test/moves", moves, methods=["POST"])


script_callbacks.on_app_started(routes)
