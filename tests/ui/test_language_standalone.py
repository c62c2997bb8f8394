"""The page in the browser's language: Chinese where it is wanted, English as it is written."""

import os
import re
from pathlib import Path

import pytest
from browser import choose_tab, chromium, entered, fill, opened, settled
from chinese import untranslated

pytestmark = [pytest.mark.browser, pytest.mark.skipif(chromium() is None, reason="there is no Chromium here")]

TABS = {"Model": "模型", "Concepts": "概念", "Train": "训练", "Queue": "队列",
        "Compare": "对比", "Runs": "训练记录", "Generate": "生成"}


def shot(page, name):
    """A picture of the page, where someone wants to look at it: SHOTS names the folder."""
    if folder := os.environ.get("SHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def is_said(page, selector, words):
    page.wait_for_function("([selector, words]) => document.querySelector(selector)?.innerText.includes(words)",
                           arg=[selector, words])


def test_a_chinese_browser_sees_chinese_from_the_first_tab_to_the_end_of_a_run(url, folder):
    with opened(url, locale="zh-CN") as page:
        entered(page)
        fill(page, "darkroom_new_name", "Style")
        page.click("#darkroom_create")
        is_said(page, "#darkroom_create_answer", "已创建 Style。")
        assert page.inner_text(".darkroom-tile b") == "Style"
        for tab in TABS.values():
            choose_tab(page, tab)
            page.wait_for_timeout(500)
            assert settled(page, lambda: untranslated(page)) == []
            shot(page, tab)
        choose_tab(page, TABS["Concepts"])
        fill(page, "darkroom_concepts_folder", folder)
        page.click("#darkroom_look")
        is_said(page, "#darkroom_found", "每张图片约出现")
        shot(page, "checked")
        choose_tab(page, TABS["Train"])
        fill(page, "darkroom_training_steps", 3)
        fill(page, "darkroom_training_batch_size", 1)
        page.click("#darkroom_train")
        is_said(page, "#darkroom_live", "全部 3 步已完成。")
        assert re.search(r"3 / 3", page.inner_text("#darkroom_live"))
        shot(page, "trained")
        assert page.problems == []


def test_an_english_browser_sees_what_is_written(url):
    with opened(url, locale="en-US") as page:
        entered(page)
        for tab in TABS:
            choose_tab(page, tab)
        text = page.inner_text("#darkroom_tabs").replace("工作", "").replace("照片", "")
        assert not re.search(r"[\u4e00-\u9fff]", text)
        assert page.problems == []


SENTENCES = {
    "Training, 1 h 3 min left": "训练中，还剩 1 小时 3 分钟",
    "6 pictures with repeats in 3 batches, 2 per step = 1 step per epoch; 4 steps = 1.3 epochs, each picture is seen "
    "about 2 times":
        "6 张图片（含重复），3 个批次；每步 2 张 = 每轮 1 步；4 步 = 1.3 轮，每张图片约出现 2 次",
    "Failed: Could not write D:\\a b.safetensors: the disk is full. What was there before is untouched.":
        "失败：无法写入 D:\\a b.safetensors：磁盘已满。原有内容未受影响。",
    "Style is being trained. Wait for it, or stop it first.": "Style 正在训练。请等待，或先停止它。",
    "optimizer = SGD: it is trained with AdamW, which may need other learning rates.":
        "optimizer = SGD：这里用 AdamW 训练，学习率可能需要调整。",
    "a zwx ghost on the steps": "a zwx ghost on the steps"}


def test_sentences_with_values_are_said_whole_and_what_people_wrote_stays(url):
    with opened(url, locale="zh-CN") as page:
        entered(page)
        for english, chinese in SENTENCES.items():
            page.evaluate("text => { document.querySelector('#darkroom_about').innerHTML = '<p id=said></p>';"
                          " document.querySelector('#said').textContent = text; }", english)
            page.wait_for_timeout(50)  # for the one that stays
            page.wait_for_function("text => document.querySelector('#said')?.innerText === text", arg=chinese)
