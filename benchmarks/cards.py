"""What fits on which graphics card, at full size: `python -m benchmarks.cards [FAMILY] [METHOD]...`; all without names.

Nothing is loaded: checkpoints are shapes alone. Writes docs/cards.json, and its tables into docs/memory.md.
"""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from extension_lib import memory, methods
from extension_lib.config.presets import defaults
from extension_lib.config.purposes import GPUS, settings_decided_by
from extension_lib.config.run import Run, new_words_of, to_dict
from extension_lib.data.folder import Item
from extension_lib.families import FAMILIES
from extension_lib.families.family import Family
from extension_lib.families.kind import CheckpointKind
from extension_lib.families.sdxl import SDXL
from extension_lib.memory import GIB, MIB
from extension_lib.model import Diffusion
from extension_lib.models.checkpoint_parts import empty_modules
from extension_lib.models.clip_vocabulary import clip_tokenizer
from extension_lib.models.diffusers_pipeline import CONFIGS
from extension_lib.models.diffusers_view import DiffusersView
from extension_lib.runs.fit import Fit, fit_in
from extension_lib.support.disk import write_text
from extension_lib.training.memory_plan import TITLES, MemoryPlan, memory_plan

from .cells import DOCS, table, write_parts

OUT, PAGE = DOCS / "cards.json", DOCS / "memory.md"
ELSEWHERE = GIB // 2  # of a card, for the screen and other programs
RESOLUTIONS = {"sd1": (512, 768), "sd2": (768,), "sdxl": (1024,)}
SHORT = {"optimizer": "{}", "bf16": "bf16", "in_backward": "in the backward pass", "batch_size": "batch {}",
         "checkpointing": "checkpointing", "text_rate": "no text encoder", "offload": "blocks in main memory",
         "resolution": "{} px"}
CARELESS: dict[str, Any] = {"training": {"batch_size": 2, "accumulation": 1, "checkpointing": False},
                            "method": {"text_rate": 5e-5}}
Planner = Callable[[Run], MemoryPlan]


def free_on(card: str) -> int:
    return int(card) * GIB - ELSEWHERE


def view_of(family: Family) -> DiffusersView:
    """A checkpoint of full size in fp16, as a graphics card holds it, without weights."""
    parts = {name: part.half().eval().requires_grad_(False)
             for name, part in empty_modules(CONFIGS / family.name, family).items()}
    tokenizers = {name.replace("text_encoder", "tokenizer"): clip_tokenizer() for name in parts}
    pipeline = SimpleNamespace(unet=parts["unet"], vae=parts["vae"], components={**parts, **tokenizers})
    return DiffusersView(pipeline, torch.device("cuda"), torch.float16, family, Diffusion(torch.ones(1000), "eps"))


def start_of(family: Family, method: str, resolution: int, gpu: str = "") -> Run:
    """The run that a workspace starts with on such a checkpoint."""
    return defaults(method, None, "", gpu, CheckpointKind(family, None)).with_values({
        "output": {"name": "zwx"}, "concepts": [{"folder": "pictures", "class_prompt": "a ghost"}],
        "data": {"resolution": resolution}})


def planner(view: DiffusersView) -> Planner:
    """Plans runs on square pictures, each kind of run once."""
    known: dict[str, MemoryPlan] = {}

    def planned(run: Run) -> MemoryPlan:
        key = json.dumps(memory_settings(run))
        if key not in known:
            picture = Item(Path("1.png"), ("a zwx ghost",), 8, run.data.resolution, run.data.resolution)
            words = new_words_of(run) if run.method.product.learns_words else ()
            known[key] = memory_plan(run, view, [picture], words)
        return known[key]
    return planned


def memory_settings(run: Run) -> dict[str, Any]:
    """What decides how much memory it takes; gathering more than two batches takes no more than two."""
    values = to_dict(run)
    values["training"]["accumulation"] = min(run.training.accumulation, 2)
    return values


def row_of(view: DiffusersView, method: str, resolution: int, planned: Planner) -> dict[str, Any]:
    family = view.family
    run = start_of(family, method, resolution)
    fits = {card: fit_in(free_on(card), run, view, planned) for card in GPUS}
    with_preset = {card: start_of(family, method, resolution, card) for card in GPUS}
    return {"family": family.name, "method": method, "resolution": resolution, "plan": asdict(planned(run)),
            "cards": {card: card_of(run, fit) for card, fit in fits.items()},
            "presets": {card: {"settings": preset_of(run), "needed": planned(run).needed}
                        for card, run in with_preset.items()} if resolution == family.resolution else {}}


def card_of(run: Run, fit: Fit) -> dict[str, Any]:
    """What "Make it fit" sets there, and what the run then needs."""
    before, after = to_dict(run), to_dict(fit.applied(run))
    return {"changes": {name: after[section][name] for section in ("training", "method", "data")
                        for name in after[section] if after[section][name] != before[section][name]},
            "needed": fit.with_changes}


def preset_of(run: Run) -> dict[str, Any]:
    """By section and name, what graphics cards decide."""
    return {f"{section}.{name}": getattr(getattr(run, section), name)
            for section, name in settings_decided_by(GPUS, run.method.name)}


def example_of(view: DiffusersView, planned: Planner) -> dict[str, Any]:
    """What makes a LoRA on Stable Diffusion XL fit 8 GB that was set up without a thought of memory."""
    run = start_of(SDXL, "lora", 1024).with_values(CARELESS)
    fit = fit_in(free_on("8"), run, view, planned)
    return {"changes": [[change.remedy.text, change.saves] for change in fit.changes],
            "before": asdict(fit.plan), "after": asdict(planned(fit.applied(run)))}


# ---- tables

def title_of(row: dict[str, Any]) -> str:
    return methods.all_methods()[row["method"]].title


def in_gib(size: int) -> str:
    return f"{size / GIB:.1f}"


def in_mib(size: int) -> str:
    return f"{size / MIB:,.0f}"


def in_words(changes: dict[str, Any]) -> str:
    """Changed settings in short; those that go with another are not said."""
    return "; ".join(said.format(changes[name]) for name, said in SHORT.items() if name in changes)


def card_cell(row: dict[str, Any], card: str) -> str:
    found = row["cards"][card]
    if found["needed"] > free_on(card):
        return f"– ({in_gib(found['needed'])})"
    return in_words(found["changes"]) or "✓"


def preset_cell(row: dict[str, Any], card: str) -> str:
    found = row["presets"][card]
    settings = {key.partition(".")[2]: value for key, value in found["settings"].items()}
    said = [f"{settings['batch_size']} × {settings['accumulation']}",
            *(["stored"] if not settings["checkpointing"] else []),
            *(SHORT[name].format(settings[name]) for name in ("bf16", "in_backward", "offload") if settings.get(name)),
            *([settings["optimizer"]] if settings.get("optimizer", "AdamW") != "AdamW" else [])]
    return f"{', '.join(said)}: {in_gib(found['needed'])}" if found["needed"] <= free_on(card) else "–"


def of_cards(rows: list[dict[str, Any]]) -> Iterator[str]:
    for family in FAMILIES:
        own = [row for row in rows if row["family"] == family.name]
        yield from ["", f"**{family.title}**", ""]
        yield from table(["Method", "pixels", "starts with", *(f"{card} GB" for card in GPUS)],
                         ([title_of(row), str(row["resolution"]), in_gib(needed_by(row["plan"])),
                           *(card_cell(row, card) for card in GPUS)] for row in own))


def of_presets(rows: list[dict[str, Any]]) -> Iterator[str]:
    for family in FAMILIES:
        own = [row for row in rows if row["family"] == family.name and row["presets"]]
        yield from ["", f"**{family.title}, {family.resolution} pixels**", ""]
        yield from table(["Method", *(f"{card} GB" for card in GPUS)],
                         ([title_of(row), *(preset_cell(row, card) for card in GPUS)] for row in own))


def needed_by(plan: dict[str, int]) -> int:
    return MemoryPlan(**plan).needed


def of_parts(example: dict[str, Any]) -> Iterator[str]:
    """How a LoRA on Stable Diffusion XL comes to its memory on 8 GB."""
    before, after = MemoryPlan(**example["before"]), MemoryPlan(**example["after"])
    changes = example["changes"]
    yield from table(["what Make it fit sets", "saves, MiB"], ([text, in_mib(size)] for text, size in changes))
    yield ""
    yield from table(["part", "before, MiB", "after, MiB"], [
        *([TITLES[name], in_mib(getattr(before, name)), in_mib(getattr(after, name))] for name in TITLES
          if name != "preview"),
        ["**needed**", f"**{in_mib(before.needed)}**", f"**{in_mib(after.needed)}**"],
        ["free on 8 GB", *[in_mib(free_on("8"))] * 2],
        [f"{TITLES['preview']}, above that", in_mib(before.preview), in_mib(after.preview)]])


def order(row: dict[str, Any]) -> tuple[int, int, int]:
    return ([family.name for family in FAMILIES].index(row["family"]),
            list(methods.all_methods()).index(row["method"]), row["resolution"])


def main(arguments: list[str]) -> None:
    families = [family for family in FAMILIES if family.name in arguments] or FAMILIES
    names = [name for name in methods.all_methods() if name in arguments] or list(methods.all_methods())
    known = json.loads(OUT.read_text(encoding="utf-8")) if OUT.exists() else {"rows": [], "example": {}}
    memory.has_bf16 = lambda device: True  # as cards since the RTX 30 series; there need be none here
    for family in families:
        view = view_of(family)
        planned = planner(view)
        for name, resolution in product(names, RESOLUTIONS[family.name]):
            row = row_of(view, name, resolution, planned)
            known["rows"] = sorted([*(other for other in known["rows"] if order(other) != order(row)), row], key=order)
            if (family, name) == (SDXL, "lora"):
                known["example"] = example_of(view, planned)
            write_text(OUT, json.dumps(known, indent=1) + "\n")
            print(family.name, title_of(row), resolution, in_gib(needed_by(row["plan"])),
                  *(card_cell(row, card) for card in GPUS), sep=" | ", flush=True)
    write_parts(PAGE, {"cards": list(of_cards(known["rows"])), "presets": list(of_presets(known["rows"])),
                       **({"parts": list(of_parts(known["example"]))} if known["example"] else {})})


if __name__ == "__main__":
    main(sys.argv[1:])
