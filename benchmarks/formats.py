"""Which program reads which file: every kind of adapter, in every family, through each loader that can be had here.

The largest relative difference of what is added, over all weights of a small model; a weight that gets nothing counts
as 1. Needs WEBUI_DIR, FORGE_DIR, COMFY_DIR and KOHYA_DIR, folders of those programs' code; without one its cells stay.
PYTHONPATH=. python -m benchmarks.formats FOLDER [LOADER ...]; the table goes to docs/formats.md and docs/formats.json.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from extension_lib.export.lora import DTYPES, tensors_in_precision
from extension_lib.export.verify import TOLERANCE
from extension_lib.files.layouts import Conversion, convert
from extension_lib.files.made import family_header
from extension_lib.files.progress import finished
from extension_lib.files.resize import Resize, resize
from extension_lib.files.singular import Keep
from extension_lib.support.disk import write_text
from extension_lib.support.seeds import generator_for

from .cells import DOCS, table, write_parts
from .loaders import LOADERS, NEEDS

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

PAGE, KEPT = DOCS / "formats.md", DOCS / "formats.json"
FAMILIES = {"sd1": "tiny-sd1", "sd2": "tiny-sd2", "sdxl": "tiny-xl"}
TITLES = {"a1111": "AUTOMATIC1111", "forge": "Forge", "comfyui": "ComfyUI", "diffusers": "diffusers",
          "lycoris": "LyCORIS", "kohya": "kohya"}
MULTIPLYING = ("oft", "boft", "ia3", "glora", "DoRA")
PLAIN, FULL = "locon", "full"  # ways whose files exports have the kind of
OUT = {FULL: "difference", PLAIN: "LoRA"}  # exports, the exact one first


def ways() -> list[str]:
    from adapters import WAYS

    return list(WAYS)


def multiplies(way: str) -> bool:
    return any(kind in way for kind in MULTIPLYING)


# ---- files


def write_files(folder: Path) -> list[dict[str, Any]]:
    """A file of each way in each family and precision, and the exports of some; returns what is to be loaded."""
    from tiny import write_named

    from extension_lib.models.diffusers_view import load_view

    cases = []
    for family, name in FAMILIES.items():
        base = write_named(folder, name)
        view = load_view(base, torch.device("cpu"), torch.float32)
        for way in ways():
            cases += list(files_of_way(folder, family, base, view, way))
        cases += list(exports(folder, family, base))
    return cases


def files_of_way(folder: Path, family: str, base: Path, view: Any, way: str) -> Iterator[dict[str, Any]]:
    from eager import method_of
    from safetensors.torch import save_file

    kind: Any = method_of(way)
    exact = folder / f"{family}-{slug(way)}-fp32.safetensors"
    tensors: dict[str, torch.Tensor] = {}
    with torch.no_grad():
        for layer in kind.select_layers(view.layers()):
            module = kind.make_module(layer)
            for name, parameter in module.named_parameters():
                drawn = torch.randn(parameter.shape, generator=generator_for(way, layer.key, name))
                parameter.copy_(parameter * 1.05 if name == "dora_scale" else 0.1 * drawn)
            tensors.update({f"{layer.key}.{n}": t.detach() for n, t in kind.layer_tensors(module).items()})
    for precision in kind.safe_precisions() if family == "sd1" else ("fp32",):
        path = folder / f"{family}-{slug(way)}-{precision}.safetensors"
        save_file(tensors_in_precision(tensors, DTYPES[precision]), path, family_header(view.family))
        once = multiplies(way) or precision != "fp32" or family != "sd1"
        for strength in (1.0,) if once else (1.0, 0.5):
            yield case(way, family, precision, strength, path, exact, base)


def exports(folder: Path, family: str, base: Path) -> Iterator[dict[str, Any]]:
    """Ways out of what a loader refuses: of kinds that few programs read."""
    for way in ("oft", "boft", "ia3", "glora", "lora, DoRA", "loha", "lokr"):
        exact = folder / f"{family}-{slug(way)}-fp32.safetensors"
        for name, keep in (("resized", Keep()), ("difference", None)):
            out = folder / f"{family}-{slug(way)}-{name}.safetensors"
            finished(resize(Resize(exact, out, keep, base, "fp32", overwrite=True)))
            yield case(f"{way} {name}", family, "fp32", 1.0, out, exact, base)
    out, resized = (folder / f"{family}-ia3-{name}.safetensors" for name in ("layout", "resized"))
    finished(convert(Conversion(resized, out, "diffusers", "fp32", overwrite=True)))
    exact = folder / f"{family}-ia3-fp32.safetensors"
    yield case("ia3 resized, diffusers' layout", family, "fp32", 1.0, out, exact, base)
    exact = folder / f"{family}-locon-fp32.safetensors"
    for layout in ("comfyui", "diffusers"):
        out = folder / f"{family}-locon-{layout}.safetensors"
        finished(convert(Conversion(exact, out, layout, "fp32", overwrite=True)))
        yield case(f"layout {layout}", family, "fp32", 1.0, out, exact, base)


def case(what: str, family: str, precision: str, strength: float, path: Path, exact: Path,
         base: Path) -> dict[str, Any]:
    return {"id": f"{what}|{family}|{precision}|{strength:g}", "file": str(path), "exact": str(exact),
            "base": str(base), "strength": strength}


def slug(way: str) -> str:
    return way.replace(", ", "-").replace(" ", "-").replace("+", "plus")


# ---- loaders


def run_loader(name: str, cases: Path) -> dict[str, Any] | None:
    """By case, what the loader said; None where its program's code is not here."""
    if name in NEEDS and not os.environ.get(NEEDS[name]):
        return None
    whole = json.loads(cases.read_text(encoding="utf-8"))
    found: dict[str, Any] = {}
    for family in FAMILIES:  # a process for each: some keep the layers of the model before
        own = cases.with_name(f"{name}-{family}.json")
        write_text(own, json.dumps([one for one in whole if one["id"].split("|")[1] == family]))
        done = subprocess.run([sys.executable, "-m", "benchmarks.loaders", name, str(own)], stdout=subprocess.PIPE,
                              encoding="utf-8", check=True)
        said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        found |= {one.pop("id"): one for one in said}
    return found


def version_of(name: str) -> str:
    """Which code a loader is: its commit, or its version."""
    import importlib.metadata

    if name in NEEDS:
        folder = Path(os.environ[NEEDS[name]])
        noted = folder / "COMMIT"
        if noted.exists():
            return noted.read_text(encoding="utf-8").strip()[:8]
        return next((line.strip("# \n") for line in (folder / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()
                     if line.startswith("#")), "")
    return importlib.metadata.version({"lycoris": "lycoris-lora"}.get(name, name))


# ---- the table


def worst(found: dict[str, Any], loader: str, what: str, family: str, precision: str) -> dict[str, Any] | None:
    """Of a file at all its strengths; None where it was not run."""
    said = [one for key, one in found.get(loader, {}).get("cells", {}).items()
            if key.startswith(f"{what}|{family}|{precision}|")]
    return max(said, key=lambda one: one.get("difference", 2.0)) if said else None


def is_right(said: dict[str, Any] | None, precision: str) -> bool:
    return said is not None and said.get("difference", 2.0) <= TOLERANCE[precision]


def way_out(found: dict[str, Any], loader: str, what: str, family: str) -> str:
    """The export that a loader reads."""
    if what.endswith("resized"):
        return "diffusers' layout"
    if "layout" in what:
        return "kohya's layout"
    if what == "norm":  # of vectors, which only a checkpoint has room for everywhere
        return "merge"
    return next((name for way, name in OUT.items() if is_right(worst(found, loader, way, family, "fp32"), "fp32")),
                "none")


def cell(found: dict[str, Any], loader: str, what: str, family: str) -> str:
    """A difference for each precision; where one is too large, or the file is refused, what to export instead."""
    said = {precision: one for precision in TOLERANCE
            if (one := worst(found, loader, what, family, precision)) is not None}
    if not said:
        return "not run"
    if all(is_right(one, precision) for precision, one in said.items()):
        return " ".join(shown(one["difference"]) for one in said.values())
    if is_right(said.get("fp32"), "fp32"):
        return " ".join(shown(one["difference"]) + ("" if is_right(one, precision) else " → fp32")
                        for precision, one in said.items())
    wrong = any("refused" not in one for one in said.values())
    return f"{'**wrong**' if wrong else 'refused'} → {way_out(found, loader, what, family)}"


def shown(difference: float) -> str:
    """Below fp32's own steps it is none."""
    return f"{difference:.0e}" if difference > 1e-7 else "0"


def cells_of(found: dict[str, Any], what: str, loader: str) -> str:
    """Those of the families, once where they are the same."""
    parts = [cell(found, loader, what, family) for family in FAMILIES]
    if all("→" not in part and part != "not run" for part in parts):
        numbers = [part.split() for part in parts]  # of the first family in more precisions than of the others
        return " ".join([max((column[0] for column in numbers), key=float), *numbers[0][1:]])
    return parts[0] if len(set(parts)) == 1 else " / ".join(parts)


def lines(found: dict[str, Any], what: list[str]) -> list[list[str]]:
    return [[name, *(cells_of(found, name, loader) for loader in LOADERS)] for name in what]


def write_page(found: dict[str, Any]) -> None:
    head = ["File", *(TITLES[name] for name in LOADERS)]
    others = sorted({key.partition("|")[0] for one in found.values() for key in one["cells"]} - set(ways()))
    versions = ", ".join(f"{TITLES[name]} {found[name]['version']}" for name in LOADERS if name in found)
    missing = [TITLES[name] for name in LOADERS if name not in found]
    write_parts(PAGE, {
        "matrix": [*table(head, lines(found, ways())), "", f"Loaders: {versions}." + (
            f" Not run: {', '.join(missing)}." if missing else "")],
        "exports": table(head, lines(found, others))})


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    chosen = sys.argv[2:] or list(LOADERS)
    cases = folder / "cases.json"
    if not cases.exists():
        write_text(cases, json.dumps(write_files(folder)))
    found = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    for name in chosen:
        if (said := run_loader(name, cases)) is not None:
            found[name] = {"version": version_of(name), "cells": said}
            write_text(KEPT, json.dumps(found, indent=1) + "\n")
            print(name, len(said), flush=True)
    write_page(found)


if __name__ == "__main__":
    main()
