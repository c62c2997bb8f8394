"""A running job in a real WebUI, as a reloaded page and a second browser show it."""

import shutil
import time

from browser import begin, choose_tab, create, opened_in, show_pictures, wait_for_end, wait_for_step

from toyland.subjects import SUBJECTS

SECONDS = 5  # after the page has been loaded


def shown_after(page) -> dict[str, float]:
    """Seconds from the page's load until the running job and its curve are seen on the tab that is in front, and until
    they are on the Train tab, for which the WebUI must have built its page."""
    loaded = time.monotonic()
    page.wait_for_selector("#darkroom_corner .darkroom-badge.running")
    page.wait_for_selector("#darkroom_corner .darkroom-curve .line.instance")
    seen = time.monotonic()
    page.wait_for_selector("#txt2img_generate")
    choose_tab(page, "Train")
    page.wait_for_selector("#darkroom_live .darkroom-badge.running")
    page.wait_for_selector("#darkroom_live .darkroom-curve .line.instance")
    return {"seen": round(seen - loaded, 1), "on the Train tab": round(time.monotonic() - loaded, 1)}


def test_a_reloaded_page_and_a_second_browser_follow_the_job_and_either_can_stop_it(page, webui, seen):
    create(page, "watched")
    shutil.copytree(SUBJECTS["ghost"].folder, webui.data / "pictures" / "ghost")
    show_pictures(page, "~/pictures/ghost")
    begin(page, training_steps=3000)
    wait_for_step(page, 3)
    page.reload()
    reloaded = shown_after(page)
    other = opened_in(page.context.browser, webui.url)
    second = shown_after(other)
    wait_for_step(page, int(other.get_attribute("#darkroom_live .darkroom-live", "data-step")))
    other.click("#darkroom_stop")
    assert "Stopped by you" in wait_for_end(page) and (webui.loras / "watched.safetensors").exists()
    assert reloaded["seen"] <= SECONDS and second["seen"] <= SECONDS, (reloaded, second)
    seen({"seconds_after_reload": reloaded, "seconds_in_a_second_browser": second})
