"""The whole way as a person goes it, from nothing to the tag in the prompt, with what it takes counted."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from browser import PATIENCE, fill, tab_button, unfold, wait_for_end

CLICKS, FIELDS = 12, 3  # that the whole way may take
MINUTES = 15 * 60_000  # milliseconds that a training or a grid may take


@dataclass
class Way:
    """A page whose clicks and typed fields are counted. seen is called with the name of each place on the way."""

    page: Any
    seen: Callable[[str], None] = lambda name: None
    name: str = ""
    clicks: int = 0
    fields: int = 0

    def click(self, target: Any, then: str = "", timeout: float = PATIENCE) -> None:
        """Clicks, and waits for what shall be seen then."""
        (self.page.locator(target).first if isinstance(target, str) else target).click()
        self.clicks += 1
        if then:
            self.page.wait_for_selector(then, timeout=timeout)

    def type(self, elem_id: str, text: Any) -> None:
        fill(self.page, elem_id, text)
        self.fields += 1

    def tab(self, name: str) -> None:
        self.click(tab_button(self.page, name))

    def teach(self, name: str, folder: Any) -> None:
        """From an empty page to one on which Train can be pressed."""
        self.name = name
        self.type("darkroom_new_name", name)
        self.click("#darkroom_create", f"#darkroom_create_answer >> text=Created {name}")
        self.page.wait_for_timeout(1000)
        self.seen("model")
        self.tab("Concepts")
        self.type("darkroom_concepts_folder", folder)
        self.click("#darkroom_look", "#darkroom_found >> text=pictures")
        self.page.wait_for_selector("#darkroom_gallery img")
        self.page.wait_for_timeout(1500)
        self.page.evaluate("scrollTo(0, 0)")
        self.seen("concepts")
        self.tab("Train")

    def train(self) -> str:
        own = f'#darkroom_live:has-text("{self.name}")'  # until then an earlier run may be shown
        self.click("#darkroom_train", f"{own} .darkroom-curve .line.instance")
        self.page.wait_for_selector("#darkroom_previews img, #darkroom_live:not(:has([data-running]))", timeout=MINUTES)
        self.seen("training")
        said = wait_for_end(self.page, MINUTES / 1000)
        self.page.wait_for_timeout(1500)
        self.seen("trained")
        return said

    def choose(self, cell: int) -> None:
        """What was learned as a grid, a picture of it chosen, and its prompt sent."""
        self.click("#darkroom_learned", "#darkroom_compare_progress >> text=Done", timeout=MINUTES)
        self.click(self.page.locator("#darkroom_grid .darkroom-cell").nth(cell), "#darkroom_compare_answer >> text=The "
                   "card of")
        self.page.wait_for_timeout(1000)
        self.seen("compared")
        self.click("#darkroom_compare_send")


def shortened(page: Any, **settings: Any) -> None:
    """Settings that make a run short, as nobody would on the way: they do not count."""
    unfold(page, "Saving")
    for name, value in settings.items():
        fill(page, f"darkroom_{name}", value)
