"""The pages can be read and used by everyone: axe finds no unlabelled control and no text of too little contrast."""

from importlib import resources

import pytest
from browser import (
    begin,
    choose_tab,
    chromium,
    create,
    entered,
    opened,
    opened_in,
    settled,
    show_pictures,
    wait_for_end,
    wait_for_step,
)

pytestmark = [pytest.mark.browser, pytest.mark.skipif(chromium() is None, reason="there is no Chromium here")]

THEMES = "light", "dark"
TABS = "Model", "Concepts", "Train", "Queue", "Compare", "Runs", "Generate"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
GRADIO = {("aria-prohibited-attr", 'aria-label="Empty value"')}  # its own markup: the rule, and a part of the element


def violations(page):
    """(rule, element) of everything that axe finds but Gradio's own."""
    page.evaluate((resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("rules => axe.run(document, {runOnly: {type: 'tag', values: rules}})", RULES)["violations"]
    seen = [(rule["id"], node["html"][:200]) for rule in found for node in rule["nodes"]]
    return [(rule, html) for rule, html in seen if not any(rule == known and part in html for known, part in GRADIO)]


@pytest.mark.parametrize("theme", THEMES)
def test_every_tab_in_both_themes(url, theme):
    pytest.importorskip("axe_playwright_python")
    with opened(f"{url}/?__theme={theme}") as page:
        entered(page)
        for tab in TABS:
            choose_tab(page, tab)
            page.wait_for_timeout(700)
            assert settled(page, lambda: violations(page)) == [], tab


def test_the_running_job_in_the_corner_in_both_themes(page, url, folder):
    pytest.importorskip("axe_playwright_python")
    create(page, "corner")
    show_pictures(page, folder)
    begin(page, training_steps=3000, training_batch_size=1)
    wait_for_step(page, 2)
    for theme in THEMES:
        other = opened_in(page.context.browser, f"{url}/?__theme={theme}")
        entered(other)
        other.wait_for_selector("#darkroom_corner .darkroom-curve .line.instance")
        assert settled(other, lambda other=other: violations(other)) == [], theme
        other.close()
    page.click("#darkroom_stop")
    wait_for_end(page)


UNREACHED = """() => {
    const all = 'button, a[href], input:not([type=hidden]):not([type=file]), textarea, select, [role=button], '
        + '.darkroom-film';
    const shown = [...document.querySelectorAll('#darkroom_tabs')].flatMap((part) => [...part.querySelectorAll(all)])
        .filter((one) => one.checkVisibility({visibilityProperty: true}) && !one.disabled
            && !one.closest('[aria-hidden=true]'));
    const reached = (one) => { one.focus(); return document.activeElement === one && one.tabIndex >= 0; };
    return shown.filter((one) => !reached(one)).map((one) => one.outerHTML.slice(0, 160));
}"""
# Of Gradio: a tab that is not in front is reached by the arrow keys, as tabs are.
BY_ARROWS = 'role="tab"'


def unreached(page):
    return [html for html in page.evaluate(UNREACHED) if BY_ARROWS not in html]


def test_everything_that_can_be_pressed_or_filled_in_is_reached_by_keyboard(page):
    for tab in TABS:
        choose_tab(page, tab)
        page.wait_for_timeout(700)
        assert settled(page, lambda: unreached(page)) == [], tab
