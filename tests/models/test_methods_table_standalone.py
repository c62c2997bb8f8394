"""docs/families.md: what each method trains of each family; written anew by PYTHONPATH=.:tests python and this file."""

from dataclasses import replace
from functools import cache
from pathlib import Path

from models.test_families_standalone import full_size

from extension_lib import methods
from extension_lib.families import FAMILIES
from extension_lib.methods.adapter import AdapterSettings
from extension_lib.methods.hypernetwork import attention_layers

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "families.md"
PARTS = [(family, part) for family in FAMILIES for part in ("unet", *(one.part for one in family.text_encoders))]
NOTHING = "-"


@cache
def view_of(family):
    return full_size(family)


def adapter_cell(settings, view, part):
    layers = [layer for layer in view.layers() if layer.part == part]
    kind = replace(settings, unet_rate=1.0, text_rate=1.0)
    if not any(layer.part == part for layer in kind.wanted_layers(view.layers())):
        return NOTHING
    trained, without = len(kind.select_layers(layers)), len(kind.left_out(layers))
    return f"{trained} layers" + (f", {without} left out" if without else "")


def dreambooth_cell(settings, view, part):
    return f"{sum(weight.part == part for weight in view.weights())} weights"


def word_cell(settings, view, part):
    widths = {encoder.names.part: encoder.vocabulary().shape[1] for encoder in view.text_encoders}
    return f"vectors of {widths[part]}" if part in widths else NOTHING


def pivotal_cell(settings, view, part):
    cells = adapter_cell(settings.adapter_settings(), view, part), word_cell(settings, view, part)
    return ", ".join(cell for cell in cells if cell != NOTHING)


def hypernetwork_cell(settings, view, part):
    found = attention_layers([layer for layer in view.layers() if layer.part == part])
    widths = ", ".join(str(width) for width in sorted({width for *_, width in found}))
    return f"{len(found)} keys and values, networks for widths {widths}" if found else NOTHING


CELLS = {"dreambooth": dreambooth_cell, "textual_inversion": word_cell, "pivotal": pivotal_cell,
         "hypernetwork": hypernetwork_cell}


def table():
    heads = [f"{family.title}, {'UNet' if part == 'unet' else f'text encoder {part[-1]}'}" for family, part in PARTS]
    rows = [["Method", *heads], ["---"] * (len(heads) + 1)]
    for name, method in methods.all_methods().items():
        cell = CELLS.get(name, adapter_cell)
        assert cell is not adapter_cell or issubclass(method, AdapterSettings)
        rows.append([method.title, *(cell(method(), view_of(family), part) for family, part in PARTS)])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def written():
    return DOCUMENT.read_text(encoding="utf-8").partition("\n| Method")


def test_the_table_of_what_methods_train_is_true():
    _, found, rest = written()
    assert (found + rest).strip() == table()


if __name__ == "__main__":
    DOCUMENT.write_text(written()[0] + "\n" + table() + "\n", encoding="utf-8", newline="\n")
