"""What a page should say in Chinese, and what it does not."""

import json

from helpers import ROOT

CHINESE = json.loads((ROOT / "localizations" / "zh_CN.json").read_text(encoding="utf-8"))
SEEN = """() => [...document.querySelectorAll('#darkroom_tabs [data-testid=block-info], #darkroom_tabs button')]
              .filter((one) => one.offsetParent).map((one) => one.innerText.trim()).filter(Boolean)"""


def untranslated(page) -> list[str]:
    """Labels and buttons in sight that are still English."""
    return [text for text in page.evaluate(SEEN) if CHINESE.get(text, text) != text]
