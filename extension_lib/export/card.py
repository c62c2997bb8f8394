"""The card of a file in the WebUI: trigger words, preferred weight and picture, so that it can be used at once."""

import io
import json
from pathlib import Path
from typing import Any

from ..support.disk import write_bytes, write_text
from .provenance import Provenance

OWN_VALUES = "darkroom"  # key in the card: the values that we wrote last, to tell them from what a person wrote later


def write_card(path: Path, about: Provenance) -> None:
    """Writes <stem>.json beside the file. What a person wrote there is kept, except the description."""
    card = path.with_suffix(".json")
    old = read_card(card)
    before = old.get(OWN_VALUES, {})
    ours = {"description": f"{about.run.method.title}, {about.step} steps on {about.checkpoint.stem}",
            "sd version": about.family.card_version, "activation text": about.trigger, "preferred weight": 1.0,
            "negative text": "", "notes": ""}
    theirs = {
        k: v
        for k, v in old.items()
        if k not in ("description", "sd version") and not (k in before and before[k] == v)
    }
    write_text(card, json.dumps({**ours, **theirs, OWN_VALUES: ours}, indent=4, ensure_ascii=False))


def set_preferred(path: Path, weight: float, words: str) -> None:
    """Sets the preferred weight and the words to type on the file's card; the rest of it is kept."""
    card = path.with_suffix(".json")
    write_text(
        card,
        json.dumps({**read_card(card), "preferred weight": weight, "activation text": words}, indent=4,
                   ensure_ascii=False))


def write_card_picture(path: Path, picture: Any) -> None:
    """picture: a PIL image."""
    png = io.BytesIO()
    picture.save(png, "PNG")
    write_bytes(path, png.getvalue())


def read_card(card: Path) -> dict[str, Any]:
    if not card.exists():
        return {}
    try:
        return dict(json.loads(card.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        return {}  # not readable; a new card is written
