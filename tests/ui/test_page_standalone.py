"""The pages in a real browser, by clicking."""

import json

import pytest
from browser import (
    begin,
    choose_tab,
    chromium,
    create,
    entered,
    fill,
    live,
    opened,
    opened_in,
    show_pictures,
    wait_for_end,
    wait_for_step,
)
from way import CLICKS, FIELDS, Way, shortened

pytestmark = [pytest.mark.browser, pytest.mark.skipif(chromium() is None, reason="there is no Chromium here")]


def test_the_whole_way_takes_few_clicks_and_leaves_a_file_a_card_and_a_picture(page, host, folder):
    way = Way(page)
    way.teach("learned", folder)
    assert "a zwx ghost" in page.text_content("#darkroom_found")
    shortened(page, training_steps=4, training_batch_size=1, saving_save_every=2)
    assert "All 4 steps are done" in way.train()
    assert (host.folders.lora / "learned.safetensors").exists()
    assert page.locator("#darkroom_live .line.instance:not(.raw)").count() == 1
    way.choose(3)
    assert page.locator("#darkroom_grid .darkroom-cell").count() == 2 * 5  # a copy and the end, five weights
    assert json.loads(
        (host.folders.lora / "learned-000002.json").read_text(encoding="utf-8"))["preferred weight"] == 0.75
    sent = "() => document.querySelector('#darkroom_prompt textarea')?.value.includes('<lora:learned-000002:0.75>')"
    page.wait_for_function(sent)
    way.click("#darkroom_generate", "#darkroom_picture img")
    assert way.clicks <= CLICKS and way.fields <= FIELDS
    choose_tab(page, "Compare")
    page.click("#darkroom_compare_undo")
    page.wait_for_selector("#darkroom_compare_answer >> text=as it was before")


def test_a_grid_of_weights_and_steps_can_be_cancelled_and_looked_at_again(page, url):
    choose_tab(page, "Compare")
    page.click("#darkroom_refresh_loras")
    page.locator("#darkroom_compare_name input").click()
    page.get_by_role("option", name="learned", exact=True).click()
    weights = [n / 50 for n in range(51)]
    for name, value in (("prompts", "a zwx ghost"), ("weights", ", ".join(map(str, weights)))):
        fill(page, f"darkroom_compare_{name}", value)
    for name, value in (("steps", 3), ("size", 64)):
        page.locator(f"#darkroom_compare_{name} input[type=number]").fill(str(value))
        page.keyboard.press("Tab")
    page.locator("button#darkroom_compare").click()
    page.wait_for_selector("#darkroom_grid .darkroom-cell")
    page.click("#darkroom_compare_cancel")
    page.wait_for_selector("#darkroom_compare_progress >> text=Stopped")
    before = page.locator("#darkroom_grid .darkroom-cell").count()
    assert 0 < before < 2 * len(weights)
    other = opened_in(page.context.browser, url)
    entered(other)
    choose_tab(other, "Compare")
    assert other.input_value("#darkroom_compare_name input") == "learned"
    assert not other.is_visible("#darkroom_compare_undo")  # before a picture is chosen
    other.locator("#darkroom_compare_earlier input").click()
    other.get_by_role("option").first.click()
    other.wait_for_selector("#darkroom_grid .darkroom-cell")
    assert other.locator("#darkroom_grid .darkroom-cell").count() == before and other.problems == []


def test_a_reloaded_page_follows_the_running_job_and_can_stop_it(page, url, host, folder):
    create(page, "long")
    show_pictures(page, folder)
    begin(page, training_steps=3000, training_batch_size=1)
    wait_for_step(page, 2)
    page.goto(url)
    entered(page)
    choose_tab(page, "Train")
    wait_for_step(page, 4)
    assert "left" in live(page)
    page.click("#darkroom_stop")
    assert "Stopped by you" in wait_for_end(page) and (host.folders.lora / "long.safetensors").exists()


def test_on_a_phone_the_train_button_stands_above_the_settings(url):
    with opened(url, width=390) as page:
        entered(page)
        choose_tab(page, "Train")
        button, method = (page.locator(place).bounding_box() for place in ("#darkroom_train", "#darkroom_method"))
        assert button["y"] < method["y"] and button["width"] <= 390


def test_methods_for_the_curious_are_folded_away_until_asked_for_and_a_chosen_one_stays_seen(page):
    choose_tab(page, "Train")
    known = page.locator("#darkroom_method label")
    more = page.locator("#darkroom_method .darkroom-more")
    more.wait_for()
    assert [known.nth(n).inner_text() for n in range(known.count()) if known.nth(n).is_visible()] == [
        "LoRA", "DreamBooth", "Pivotal Tuning", "Textual Inversion"]
    more.focus()
    page.keyboard.press("Enter")
    page.locator("#darkroom_method label", has_text="LoHa").click()
    more.click()
    assert page.locator("#darkroom_method label", has_text="LoHa").is_visible()
    assert not page.locator("#darkroom_method label", has_text="LoKr").is_visible()


def test_a_used_workspace_is_asked_about_and_the_answer_obeyed(page, host, folder):
    create(page, "twice")
    show_pictures(page, folder)
    begin(page, training_steps=2, training_batch_size=1)
    wait_for_end(page)
    page.click("#darkroom_train")
    page.wait_for_selector("#darkroom_question >> text=Continue after step 2")
    page.locator("#darkroom_question label", has_text="Start over and save as twice-v2").click()
    page.click("#darkroom_train")
    page.wait_for_function("() => document.querySelector('#darkroom_live').innerText.includes('twice-v2')")
    wait_for_end(page)
    assert (host.folders.lora / "twice-v2.safetensors").exists()


@pytest.mark.parametrize("path, said", [("/nowhere/at all", "There is no folder"), (None, "no readable picture")])
def test_a_folder_that_cannot_be_is_named(page, tmp_path, path, said):
    create(page, f"bad{path is None}")
    choose_tab(page, "Concepts")
    fill(page, "darkroom_concepts_folder", path or tmp_path)
    page.click("#darkroom_look")
    page.wait_for_selector(f"#darkroom_found >> text={said}")


def test_a_name_that_is_none_is_refused(page):
    choose_tab(page, "Model")
    fill(page, "darkroom_new_name", "../ghost")
    page.click("#darkroom_create")
    page.wait_for_selector("#darkroom_create_answer >> text=cannot be a file's name")


def test_concepts_can_be_added_and_each_keeps_what_was_typed(page):
    create(page, "several")
    choose_tab(page, "Concepts")
    fill(page, "darkroom_concepts_instance_prompt", "a zwx ghost")
    page.click("#darkroom_concept_add")
    page.wait_for_selector("#darkroom_concept >> text=Concept 2")
    fill(page, "darkroom_concepts_instance_prompt", "a qvk cat")
    page.locator("#darkroom_concept label", has_text="Concept 1").click()
    page.wait_for_function("() => document.querySelector('#darkroom_concepts_instance_prompt textarea, "
                           "#darkroom_concepts_instance_prompt input').value === 'a zwx ghost'")
