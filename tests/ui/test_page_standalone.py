"""The pages in a real browser, by clicking."""

import socket

import pytest
from browser import begin, choose_tab, chromium, create, entered, fill, live, opened, show_pictures, wait_for_end, wait_for_step
from helpers import draw_pictures

pytestmark = [pytest.mark.browser, pytest.mark.skipif(chromium() is None, reason="there is no Chromium here")]


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    from extension_lib.hosts.standalone import Standalone

    return Standalone(tmp_path_factory.mktemp("studio 工作"))


@pytest.fixture(scope="module")
def url(host):
    from extension_lib.ui.app import built, script, style

    blocks, port = built(host), free_port()
    blocks.launch(server_name="127.0.0.1", server_port=port, prevent_thread_lock=True, css=style(), head=script(), quiet=True)
    yield f"http://127.0.0.1:{port}"
    blocks.close()


@pytest.fixture
def page(url):
    with opened(url) as made:
        entered(made)
        yield made
        assert made.problems == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return draw_pictures(tmp_path_factory.mktemp("照片 of a ghost") / "ghost")


def test_from_pictures_to_a_file_and_a_picture(page, host, folder):
    create(page, "ghost")
    show_pictures(page, folder)
    assert "a zwx ghost" in page.inner_text("#darkroom_found")
    begin(page, training_steps=4)
    assert "All 4 steps are done" in wait_for_end(page, 120)
    assert (host.folders.lora / "ghost.safetensors").exists()
    assert page.locator("#darkroom_live .darkroom-curve").count() == 1
    choose_tab(page, "Generate")
    fill(page, "darkroom_prompt", "a zwx ghost <lora:ghost:0.8>")
    page.click("#darkroom_generate")
    page.wait_for_selector("#darkroom_picture img", timeout=60_000)


def test_a_reloaded_page_follows_the_running_job_and_can_stop_it(page, url, host, folder):
    create(page, "long")
    show_pictures(page, folder)
    begin(page, training_steps=3000)
    wait_for_step(page, 2)
    page.goto(url)
    entered(page)
    choose_tab(page, "Train")
    wait_for_step(page, 4)
    assert "left" in live(page)
    page.click("#darkroom_stop")
    assert "Stopped by you" in wait_for_end(page, 60) and (host.folders.lora / "long.safetensors").exists()


def test_a_used_workspace_is_asked_about_and_the_answer_obeyed(page, host, folder):
    create(page, "twice")
    show_pictures(page, folder)
    begin(page, training_steps=2)
    wait_for_end(page, 60)
    page.click("#darkroom_train")
    page.wait_for_selector("#darkroom_question >> text=Continue after step 2")
    page.locator("#darkroom_question label", has_text="Start over and write twice-v2").click()
    page.click("#darkroom_train")
    page.wait_for_function("() => document.querySelector('#darkroom_live').innerText.includes('twice-v2')", timeout=60_000)
    wait_for_end(page, 60)
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


def test_weight_is_compared_with_step(page, host):
    choose_tab(page, "Compare")
    page.click("#darkroom_refresh_loras")
    page.locator("#darkroom_compare_name input").click()
    page.get_by_role("option", name="ghost", exact=True).click()
    fill(page, "darkroom_compare_prompts", "a zwx ghost")
    fill(page, "darkroom_compare_weights", "0, 1")
    for name, value in (("steps", 3), ("size", 64)):
        page.locator(f"#darkroom_compare_{name} input[type=number]").fill(str(value))
        page.keyboard.press("Tab")
    page.locator("button#darkroom_compare").click()
    page.wait_for_selector("#darkroom_grid img", timeout=60_000)
