"""A running job as a browser shows it: on two pages at once, paused and continued, discarded, and beside others."""

import pytest
from browser import (
    begin,
    choose_tab,
    chromium,
    create,
    entered,
    opened_in,
    show_pictures,
    unfold,
    wait_for_end,
    wait_for_step,
)

pytestmark = [pytest.mark.browser, pytest.mark.skipif(chromium() is None, reason="there is no Chromium here")]
LONG = {"training_steps": 3000, "training_batch_size": 1}


def started(page, folder, name, **settings):
    create(page, name)
    show_pictures(page, folder)
    begin(page, **settings)
    wait_for_step(page, 2)


def badge(page, says):
    page.wait_for_selector(f"#darkroom_live .darkroom-badge.{says}")


def test_two_browsers_follow_one_job_and_either_can_stop_it(page, url, folder):
    started(page, folder, "both", **LONG)
    other = opened_in(page.context.browser, url)
    entered(other)
    other.wait_for_selector("#darkroom_corner .darkroom-curve .line.instance")
    other.click("#darkroom_corner >> text=Show")
    badge(other, "running")
    other.wait_for_selector("#darkroom_corner", state="hidden")
    assert other.locator("#darkroom_live .darkroom-curve .line.instance").count()
    other.click("#darkroom_stop")
    assert "Stopped by you" in wait_for_end(page)
    badge(other, "done")
    assert other.problems == []


def test_another_tab_shows_the_running_job_in_its_corner_until_it_is_hidden(page, url, folder):
    started(page, folder, "corner", **LONG)
    choose_tab(page, "Model")
    page.wait_for_selector("#darkroom_corner .darkroom-badge.running")
    page.click("#darkroom_corner >> text=Hide")
    choose_tab(page, "Train")
    page.click("#darkroom_stop")
    wait_for_end(page)
    with page.expect_response("**/darkroom/job"):
        choose_tab(page, "Model")
    page.wait_for_timeout(500)
    assert page.locator("#darkroom_corner").is_hidden()
    other = opened_in(page.context.browser, url)
    other.wait_for_selector("#darkroom_corner", state="attached")
    assert other.locator("#darkroom_corner").is_hidden()  # nothing runs any more


def test_the_corner_s_route_may_be_there_later_than_the_page(page):
    statuses, job = iter((404, 404)), '<div data-running="1" data-created="1">a late ghost</div>'
    page.route("**/darkroom/job", lambda route: route.fulfill(status=next(statuses, 200), body=job))
    page.reload()
    page.wait_for_selector("#darkroom_corner >> text=a late ghost")


def test_a_program_that_is_gone_is_asked_again_only_when_the_reader_does_something(page, folder):
    """A WebUI with --api that starts anew while an old page keeps asking can fail to start."""
    started(page, folder, "lost", **LONG)
    with page.expect_event("requestfailed", lambda request: request.url.endswith("robots.txt")):
        page.context.set_offline(True)
    page.wait_for_timeout(2000)  # what was under way has failed too
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(7000)
    assert asked == []
    with page.expect_request("**/robots.txt"):
        page.mouse.move(9, 9)
    assert [url.rpartition("/")[2] for url in asked] == ["robots.txt"]
    page.context.set_offline(False)
    wait_for_step(page, int(page.get_attribute("#darkroom_live .darkroom-live", "data-step")), 30)
    page.click("#darkroom_stop")
    assert "Stopped by you" in wait_for_end(page)


def test_a_pause_frees_the_model_until_continue_is_pressed(page, host, folder):
    started(page, folder, "rest", **LONG)
    page.click("#darkroom_pause")
    badge(page, "paused")
    page.wait_for_selector("#darkroom_pause >> text=Continue")
    assert host.borrowed is None
    step = page.get_attribute("#darkroom_live .darkroom-live", "data-step")
    page.click("#darkroom_pause")
    wait_for_step(page, int(step))
    page.wait_for_selector("#darkroom_pause >> text=Pause")
    page.click("#darkroom_stop")
    assert "Stopped by you" in wait_for_end(page)


def test_discarding_asks_once_more_and_leaves_no_file(page, host, folder):
    started(page, folder, "gone", **LONG)
    page.click("#darkroom_discard")
    page.wait_for_selector("#darkroom_discard >> text=Really discard?")
    badge(page, "running")
    page.click("#darkroom_discard")
    badge(page, "discarded")
    assert not (host.folders.lora / "gone.safetensors").exists()
    page.wait_for_selector("#darkroom_discard:disabled >> text=Stop and discard")


def test_previews_are_a_film_and_copies_a_list_and_runs_stand_side_by_side(page, folder):
    create(page, "film")
    show_pictures(page, folder)
    choose_tab(page, "Train")
    for title in ("Pictures", "Saving", "Previews"):
        unfold(page, title)
    page.locator("#darkroom_data_held_out input[type=number]").fill("0.4")
    page.keyboard.press("Tab")
    page.locator("#darkroom_previews_prompts textarea").fill("a zwx ghost\na cat")
    begin(page, training_steps=4, training_batch_size=1, saving_save_every=2, previews_preview_every=2)
    wait_for_end(page)
    page.wait_for_selector("#darkroom_previews .darkroom-film img")
    assert page.locator("#darkroom_previews .darkroom-film img").count() == 4
    assert page.locator("#darkroom_live .darkroom-copies tr.best").count() == 1
    page.locator("#darkroom_previews .darkroom-star").first.click()
    page.wait_for_selector("#darkroom_live .darkroom-badge >> text=your choice")
    page.wait_for_selector("#darkroom_answer >> text=film-000002.safetensors is marked as your choice")
    choose_tab(page, "Runs")
    page.wait_for_selector("#darkroom_runs_plot circle.run0")
    page.locator("#darkroom_runs_loss label", has_text="smoothed").click()
    page.wait_for_function("() => !document.querySelector('#darkroom_runs_plot circle')")
    assert "film 0001" in page.inner_text("#darkroom_runs_plot")
