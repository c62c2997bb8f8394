"""Chromium driven by Playwright: found if it is there."""

import os
import shutil
import socket
import time
from contextlib import contextmanager, nullcontext

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run"
]

PATIENCE = 120_000  # milliseconds that a page may take: the machine may be doing something else


def chromium() -> str | None:
    found = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
    return os.environ.get("CHROMIUM") or next((path for path in found if path), None)


running = []  # the browser that the pages of a file of tests share, where one was started


@contextmanager
def started_browser():
    """A browser; within, opened() opens its pages in it instead of in one of their own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=FLAGS)
        running.append(browser)
        try:
            yield browser
        finally:
            running.remove(browser)
            browser.close()


@contextmanager
def opened(url: str, width: int = 1280, height: int = 900, **context):
    """A page at this address; page.problems collects errors of its scripts.

    Afterwards all of the browser's pages are closed.
    """
    with nullcontext(running[-1]) if running else started_browser() as browser:
        try:
            yield opened_in(browser, url, viewport={"width": width, "height": height}, **context)
        finally:
            for made in browser.contexts:
                made.close()


def opened_in(browser, url: str, **context):
    """A page at this address in a context of its own: to the server it is another browser."""
    page = browser.new_context(**context).new_page()
    page.set_default_timeout(PATIENCE)
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda message: complain(page, message))
    page.goto(url)
    return page


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def served(host):
    """The standalone app in the background; gives its address."""
    from extension_lib.ui.app import build_page

    with launched(build_page(host)) as address:
        yield address


@contextmanager
def launched(blocks, **options):
    """Gradio's blocks in the background, with our scripts, style and route; gives their address."""
    from extension_lib.ui.app import launch_options

    port = free_port()
    # _frontend=False: Gradio would give up when its own address does not answer within seconds; a page waits longer.
    blocks.launch(server_name="127.0.0.1", server_port=port, prevent_thread_lock=True, quiet=True, _frontend=False,
                  **{**launch_options(), **options})
    yield f"http://127.0.0.1:{port}"
    blocks.close()


def complain(page, message) -> None:
    """Fonts and such that cannot be fetched without a network are no fault of the page."""
    if message.type == "error" and "Failed to load resource" not in message.text:
        page.problems.append(message.text)


def fill(page, elem_id: str, text: str) -> None:
    """Types into the text field of a Gradio component and leaves it."""
    field = page.locator(f"#{elem_id} textarea, #{elem_id} input").first
    field.fill(str(text))
    field.press("Tab")


def settled(page, look):
    """Waits until look() gives nothing, as a page on a busy machine takes its time; gives what it still gives then."""
    end = time.monotonic() + 20
    while (found := look()) and time.monotonic() < end:
        page.wait_for_timeout(200)
    return found


def import_settings(page, path) -> None:
    """Imports another trainer's file on the Model tab."""
    unfold(page, "Import from another trainer")
    page.locator("#darkroom_import_file input[type=file]").set_input_files(path)
    page.wait_for_selector(f"#darkroom_import_file >> text={path.suffix}")
    page.click("#darkroom_import_go")


def choose_tab(page, name: str) -> None:
    if not page.locator("#darkroom_tabs").first.is_visible():  # another tab of the WebUI is in front
        darkroom_button(page).click()
    tab_button(page, name).click()


def darkroom_button(page):
    """The WebUI's tab, in any Gradio."""
    return page.get_by_role("tab", name="Darkroom", exact=True).or_(
        page.get_by_role("button", name="Darkroom", exact=True)).first


def tab_button(page, name: str):
    """A tab of ours, in any Gradio."""
    return page.locator("#darkroom_tabs").get_by_role("tab", name=name).or_(
        page.locator("#darkroom_tabs > .tab-nav > button", has_text=name)).first


def entered(page) -> None:
    """Waits until a page that was just opened shows the newest workspace, or says that there is none."""
    page.wait_for_selector("#darkroom_about .darkroom-about", state="attached")


def show_darkroom(page) -> None:
    """Goes to the tab in a WebUI's page that was just opened."""
    page.wait_for_selector("#txt2img_generate", timeout=60_000)
    page.wait_for_timeout(2000)
    darkroom_button(page).click()
    entered(page)


def create(page, name: str) -> None:
    choose_tab(page, "Model")
    fill(page, "darkroom_new_name", name)
    page.click("#darkroom_create")
    page.wait_for_selector(f"#darkroom_create_answer >> text=Created {name}")


def show_pictures(page, folder) -> None:
    choose_tab(page, "Concepts")
    fill(page, "darkroom_concepts_folder", folder)
    page.click("#darkroom_look")
    page.wait_for_selector("#darkroom_found >> text=pictures")


def choose_method(page, title: str, radio: str = "darkroom_method") -> None:
    """Chooses a method by its title; those for the curious are unfolded first."""
    more = page.locator(f"#{radio} .darkroom-more")
    more.wait_for(state="attached")
    if more.get_attribute("aria-expanded") == "false":
        more.click()
    page.locator(f"#{radio} label", has_text=title).first.click()


def unfold(page, title: str) -> None:
    """Opens a folded part of the page."""
    head = page.locator("#darkroom_tabs .label-wrap", has_text=title).first
    if "open" not in (head.get_attribute("class") or "").split():
        head.click()


def live(page) -> str:
    return page.locator("#darkroom_live").first.inner_text()


def wait_for_step(page, step: int, seconds: float = PATIENCE / 1000) -> None:
    page.wait_for_function(f"() => document.querySelector('#darkroom_live .darkroom-live')?.dataset.step > {step}",
                           timeout=seconds * 1000)


def begin(page, **settings) -> None:
    """Presses Train, after typing these settings: begin(page, training_steps=5). Returns when the new run is shown."""
    choose_tab(page, "Train")
    before = page.wait_for_selector("#darkroom_live .darkroom-live").get_attribute("data-created")
    for name, value in settings.items():
        fill(page, f"darkroom_{name}", value)
    page.click("#darkroom_train")
    newer = "before => document.querySelector('#darkroom_live .darkroom-live').dataset.created != before"
    with telling(page):
        page.wait_for_function(newer, arg=before, polling=500)


def wait_for_end(page, seconds: float = PATIENCE / 1000) -> str:
    """Waits until the panel says how the run ended; returns what it says."""
    ended = """() => { const panel = document.querySelector('#darkroom_live .darkroom-live');
                       return panel && !panel.dataset.running && panel.dataset.step > 0 }"""
    with telling(page):
        page.wait_for_function(ended, timeout=seconds * 1000, polling=500)
    return live(page)


@contextmanager
def telling(page):
    """What one waits for in vain is told with what the Train tab says instead."""
    from playwright.sync_api import TimeoutError as WaitedInVain

    try:
        yield
    except WaitedInVain as error:
        parts = (*(f"#darkroom_{part}" for part in ("answer", "question", "problems", "live")), ".toast-wrap")
        said = {part: page.locator(part).first.inner_text() for part in parts if page.locator(part).first.is_visible()}
        raise AssertionError(f"{error.message} The page says {said}; its scripts {page.problems}") from error
