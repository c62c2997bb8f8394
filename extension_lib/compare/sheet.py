"""The grid as one picture: titles above the columns and beside the rows."""

from typing import Any

from PIL import Image, ImageDraw, ImageFont

from ..host import Host, Picture
from .grid import Cell, GridPlan, draw_grid
from .infotext import with_values
from .series import LAST

PAPER, INK, EMPTY = (255, 255, 255), (30, 30, 34), (236, 236, 240)
MARGIN, GAP, TOP, LINE = 8, 4, 28, 14
SMALLEST = 128  # tiny pictures are shown larger


def draw_sheet(plan: GridPlan, host: Host) -> Image.Image:
    """Draws a plan without keeping its cells. Raises HostError."""
    images: dict[Picture, Any] = {}
    for _, news in draw_grid(plan, host):
        images.update(news)
    return compose_sheet(plan, images)


def compose_sheet(plan: GridPlan, images: dict[Picture, Any]) -> Image.Image:
    """images: by picture; what was not drawn stays empty."""
    zoom = max(1, SMALLEST // plan.picture.width)
    width, height = plan.picture.width * zoom, plan.picture.height * zoom
    font = ImageFont.load_default()
    rows = [(prompt, seed, step) for prompt in plan.prompts for seed in plan.seeds for step in plan.steps]
    labels = [row_label(plan, *row) for row in rows]
    left = max(120, *(round(font.getlength(line)) + 2 * MARGIN for label in labels for line in label))
    sheet = Image.new("RGB", (left + len(plan.weights) * (width + GAP), TOP + len(rows) * (height + GAP)), PAPER)
    pen = ImageDraw.Draw(sheet)
    for x, weight in enumerate(plan.weights):
        pen.text((left + x * (width + GAP) + width / 2, TOP / 2), column_title(weight), INK, font, anchor="mm")
    for y, (prompt, seed, step) in enumerate(rows):
        at = TOP + y * (height + GAP)
        for line, text in enumerate(labels[y]):
            pen.text((MARGIN, at + MARGIN + LINE * line), text, INK, font)
        for x, weight in enumerate(plan.weights):
            image = images.get(plan.picture_of(Cell(step, weight, prompt, seed))) or Image.new("RGB", (1, 1), EMPTY)
            sheet.paste(image.resize((width, height), Image.Resampling.NEAREST), (left + x * (width + GAP), at))
    return sheet


def column_title(weight: float) -> str:
    return "base" if weight == 0 else f"weight {weight:g}"


def row_title(step: str) -> str:
    return "at the end" if step == LAST else f"step {step}"


def row_label(plan: GridPlan, prompt: str, seed: int, step: str) -> list[str]:
    label = [plan.series.name, row_title(step)]
    if len(plan.prompts) > 1:
        label += [printable(prompt[i:i + 22]) for i in range(0, min(len(prompt), 66), 22)]
    if len(plan.seeds) > 1:
        label.append(f"seed {seed}")
    return [printable(line) for line in label]


def printable(text: str) -> str:
    """Pillow's own font has no Chinese; elsewhere the page shows the text."""
    return text.encode("latin-1", "replace").decode("latin-1")


def sheet_infotext(plan: GridPlan, first: str) -> str:
    """The grid's infotext: that of its first cell with the axes, so that the WebUI's X/Y/Z plot can be set up from
    it.
    """
    return with_values(first, {
        "Script": "X/Y/Z plot", "X Type": "[Darkroom] weight", "X Values": ", ".join(f"{w:g}" for w in plan.weights),
        "Y Type": "[Darkroom] training step", "Y Values": ", ".join(plan.steps)})
