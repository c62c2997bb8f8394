"""A host that leaves a core to the browser that looks at it."""

import time
from collections.abc import Sequence
from dataclasses import replace

from PIL.Image import Image

from extension_lib.events import Event, Stepped
from extension_lib.host import Picture
from extension_lib.hosts.standalone import Standalone

REST = 0.3  # seconds


class Unhurried(Standalone):
    """Its runs rest after each step, and it draws in two steps."""

    def show(self, event: Event) -> None:
        if isinstance(event, Stepped):
            time.sleep(REST)

    def draw(self, pictures: Sequence[Picture]) -> list[Image]:
        return super().draw([replace(picture, steps=2) for picture in pictures])
