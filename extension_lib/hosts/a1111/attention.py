"""The attention of the WebUI's models: one that has a gradient for training, the WebUI's own for drawing."""

from collections.abc import Iterator
from contextlib import contextmanager

from modules import sd_hijack, sd_hijack_optimizations

KINDS = tuple(kind for package in (sd_hijack.ldm.modules, sd_hijack.sgm.modules)
              for kind in (package.attention.CrossAttention, package.diffusionmodules.model.AttnBlock))


class DifferentiableAttention:
    """The WebUI's scaled-dot-product attention in place of the forwards in use, which are put back themselves.

    To undo and apply the WebUI's chosen optimization leaves others behind than it had found.
    """

    @contextmanager
    def in_use(self) -> Iterator[None]:
        self.drawing = [(kind, kind.forward) for kind in KINDS]
        self.apply()
        try:
            yield
        finally:
            self.put_back()

    @contextmanager
    def set_aside(self) -> Iterator[None]:
        """While it is in use: within, the attention that txt2img uses, so that a preview is what txt2img draws.
        Drawing may also set tiling, which is switched off afterwards.
        """
        self.put_back()
        try:
            yield
        finally:
            self.apply()
            sd_hijack.model_hijack.apply_circular(False)

    def apply(self) -> None:
        sd_hijack_optimizations.SdOptimizationSdp().apply()

    def put_back(self) -> None:
        for kind, forward in self.drawing:
            kind.forward = forward
