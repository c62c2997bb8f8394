"""One picture of LoRA weight against training step, drawn by the host; the column of weight 0 is the base."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from ..host import Host, Picture

PAPER, INK, LINE = (255, 255, 255), (30, 30, 34), (200, 200, 206)
MARGIN, GAP = 8, 4


@dataclass(frozen=True)
class Plan:
    """What to draw. Rows: files times prompts times seeds; columns: weights."""

    files: tuple[str, ...]  # names as typed in <lora:name:weight>
    weights: tuple[float, ...]
    prompts: tuple[str, ...]
    seeds: tuple[int, ...]
    picture: Picture  # everything else of the pictures

    def rows(self) -> list[tuple[str, str, int]]:
        return [(file, prompt, seed) for prompt in self.prompts for seed in self.seeds for file in self.files]

    def cell(self, row: tuple[str, str, int], weight: float) -> Picture:
        file, prompt, seed = row
        tag = f"<lora:{file}:{weight:g}>" if weight else ""
        return replace(self.picture, prompt=prompt + tag, seed=seed)


def weights(text: str) -> tuple[float, ...]:
    """"0, 0.5, 1" as numbers. Raises ValueError with a sentence."""
    try:
        found = tuple(float(part) for part in re.split(r"[,;\s]+", text.strip()) if part)
    except ValueError:
        raise ValueError(f"The weights {text!r} are not numbers. Write them as 0, 0.25, 0.5, 0.75, 1.") from None
    if not found:
        raise ValueError("There are no weights. Write them as 0, 0.25, 0.5, 0.75, 1.")
    return found


def copies(folder: Path, name: str) -> tuple[str, ...]:
    """The names of a LoRA's copies by step, and last the final one."""
    pattern = re.compile(re.escape(name) + r"-\d{6}")
    by_step = sorted(p.stem for p in folder.rglob("*.safetensors") if pattern.fullmatch(p.stem))
    return (*by_step, *([name] if any(folder.rglob(f"{name}.safetensors")) else []))


def drawn(plan: Plan, host: Host, stopping: Callable[[], bool] = lambda: False) -> Iterator[tuple[float, Any]]:
    """Yields (share done, None) while drawing, row by row, and last (1.0, the grid). Equal cells are drawn once."""
    done: dict[Picture, Any] = {}
    rows = plan.rows()
    for n, row in enumerate(rows):
        missing = [p for p in dict.fromkeys(plan.cell(row, w) for w in plan.weights) if p not in done]
        done.update(zip(missing, host.draw(missing)))
        yield (n + 1) / (len(rows) + 1), None
        if stopping():
            rows = rows[:n + 1]
            break
    yield 1.0, composed(plan, rows, done)


def composed(plan: Plan, rows: list[tuple[str, str, int]], images: dict[Picture, Any]) -> Image.Image:
    """The cells as one picture with a title to every row and column."""
    width, height = images[plan.cell(rows[0], plan.weights[0])].size
    zoom = max(1, 128 // width)  # tiny pictures are shown larger
    width, height = width * zoom, height * zoom
    font = ImageFont.load_default()
    labels = [row_label(plan, row) for row in rows]
    left = max(120, *(round(font.getlength(line)) + 2 * MARGIN for label in labels for line in label))
    top = 28
    sheet = Image.new("RGB", (left + len(plan.weights) * (width + GAP), top + len(rows) * (height + GAP)), PAPER)
    pen = ImageDraw.Draw(sheet)
    for x, weight in enumerate(plan.weights):
        title = "base" if weight == 0 else f"weight {weight:g}"
        pen.text((left + x * (width + GAP) + width / 2, top / 2), title, INK, font, anchor="mm")
    for y, row in enumerate(rows):
        at = top + y * (height + GAP)
        for line, text in enumerate(labels[y]):
            pen.text((MARGIN, at + MARGIN + 14 * line), text, INK, font)
        for x, weight in enumerate(plan.weights):
            image = images[plan.cell(row, weight)].resize((width, height), Image.Resampling.NEAREST)
            sheet.paste(image, (left + x * (width + GAP), at))
    return sheet


def row_label(plan: Plan, row: tuple[str, str, int]) -> list[str]:
    file, prompt, seed = row
    label = [file]
    if len(plan.prompts) > 1:
        label += [prompt[i:i + 22] for i in range(0, min(len(prompt), 66), 22)]
    if len(plan.seeds) > 1:
        label.append(f"seed {seed}")
    return label
