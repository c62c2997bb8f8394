"""A real WebUI whose localization is ours, in Chinese; its screenshots are the Chinese README's."""

import shutil
from pathlib import Path

from browser import choose_tab, entered, fill, free_port, opened
from chinese import CHINESE, untranslated
from webui import server
from webui.conftest import WEBUI_DIR

from toyland.subjects import SUBJECTS

DOCS = server.ROOT / "docs" / "screenshots" / "zh_CN"


def shot(page, name):
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(1000)
    page.screenshot(path=DOCS / f"{name}.png")


def test_the_tab_is_chinese_from_creating_a_model_to_the_end_of_a_run(tmp_path, seen):
    server.prepare(tmp_path)
    (tmp_path / "config.json").write_text('{"localization": "zh_CN"}', encoding="utf-8")
    shutil.copytree(SUBJECTS["ghost"].folder, tmp_path / "pictures" / "ghost")
    DOCS.mkdir(exist_ok=True)
    with server.running(Path(WEBUI_DIR), tmp_path, free_port()) as webui, opened(webui.url) as page:
        page.wait_for_selector("#txt2img_generate")
        choose_tab(page, CHINESE["Model"])
        entered(page)
        fill(page, "darkroom_new_name", "ghost")
        page.click("#darkroom_create")
        page.wait_for_selector("#darkroom_create_answer >> text=已创建 ghost")
        shot(page, "model")
        left = untranslated(page)
        choose_tab(page, CHINESE["Concepts"])
        fill(page, "darkroom_concepts_folder", "~/pictures/ghost")
        page.click("#darkroom_look")
        page.wait_for_selector("#darkroom_gallery img")
        shot(page, "concepts")
        left += untranslated(page)
        choose_tab(page, CHINESE["Train"])
        fill(page, "darkroom_training_steps", 60)
        page.click("#darkroom_train")
        page.wait_for_selector("#darkroom_live .darkroom-curve .line.instance")
        page.wait_for_timeout(4000)
        shot(page, "training")
        left += untranslated(page)
        page.wait_for_selector(f"#darkroom_live >> text={CHINESE['All {} steps are done.'].format(60)}")
        shot(page, "trained")
        assert left == [] and page.problems == []
    seen({"screenshots": 4})
