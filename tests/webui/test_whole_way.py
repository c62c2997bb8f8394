"""The whole way in a real WebUI by clicks, from nothing to a picture of what was learned; its screenshots are the
READMEs'.
"""

import json
import shutil

from browser import opened_in
from way import CLICKS, FIELDS, Way
from webui.server import ROOT

from toyland.subjects import SUBJECTS

CAT = SUBJECTS["cat"]
DOCS = ROOT / "docs" / "screenshots"
LAST = 4  # in a row of five weights: the whole weight


def pictured(page, name, url):
    page.screenshot(path=DOCS / f"{name}.png")
    if name == "training":
        other = opened_in(page.context.browser, url, viewport=page.viewport_size)
        other.wait_for_selector("#txt2img_generate")
        other.wait_for_selector("#darkroom_corner .darkroom-curve .line.instance")
        other.wait_for_timeout(4000)
        other.screenshot(path=DOCS / "corner.png")
        other.context.close()


def test_from_nothing_to_the_tag_in_the_prompt(page, webui, seen):
    shutil.copytree(CAT.folder, webui.data / "pictures" / "cat")
    way = Way(page, lambda name: pictured(page, name, webui.url))
    way.clicks += 1  # the extension's tab, which the page has opened
    way.teach("cat", "~/pictures/cat")
    assert "are done" in way.train()
    way.choose(LAST)
    prompt = "#txt2img_prompt textarea"
    page.wait_for_function(f"() => /<lora:cat[^>]*>$/.test(document.querySelector('{prompt}').value)")
    way.click("#txt2img_generate", "#txt2img_gallery img")
    page.wait_for_selector(".progressDiv", state="detached")
    page.wait_for_timeout(1500)
    way.seen("txt2img")
    assert "Networks with errors" not in page.content()
    assert CAT.word in json.loads((webui.loras / "cat.json").read_text(encoding="utf-8"))["activation text"]
    assert way.clicks <= CLICKS and way.fields <= FIELDS
    seen({"clicks": way.clicks, "fields": way.fields})
