"""The WebUI's way in: the Darkroom tab and its axes in the X/Y/Z plot. Glue only."""

from typing import Any

import gradio as gr
from modules import script_callbacks

from extension_lib.api.router import make_router
from extension_lib.hosts import webui
from extension_lib.hosts.a1111 import axes
from extension_lib.hosts.a1111.replaced import remember_file
from extension_lib.overnight.worker import serve_queue
from extension_lib.runs.leaving import leave_at_end
from extension_lib.ui import corner
from extension_lib.ui.page import Page


def tabs() -> list[tuple[gr.Blocks, str, str]]:
    with gr.Blocks(analytics_enabled=False) as blocks:
        Page(webui.host())
    return [(blocks, "Darkroom", "darkroom")]


def routes(blocks: gr.Blocks | None, app: Any) -> None:
    """blocks: the page; None where the WebUI serves its API alone."""
    host = webui.host()
    if not host.unsupported:
        serve_queue(host)
        logins = webui.api_logins()
        if logins is not None:
            app.include_router(make_router(host, logins))
    if blocks is not None and blocks.auth is None:
        app.router.routes.append(corner.route())


leave_at_end("SIGINT")  # at Ctrl-C the WebUI ends at once
script_callbacks.on_model_loaded(remember_file)
script_callbacks.on_before_ui(axes.add_axes)
script_callbacks.on_ui_tabs(tabs)
script_callbacks.on_app_started(routes)
