"""The standalone app: the same tabs as in the WebUI, and a Generate tab."""

import json
import socket
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from ..api.router import make_router
from ..host import HostError
from ..hosts.drawing.sampling import SAMPLERS
from ..hosts.standalone import Standalone
from ..overnight.worker import serve_queue
from . import corner
from .door import Door, Login
from .page import Page
from .tabs.generate_tab import GenerateTab

LARGEST_UPLOAD = "100mb"  # of one file
PROJECT = Path(__file__).resolve().parents[2]


def serve(host: Standalone, port: int, listen: bool = False, login: Login | None = None,
          names: frozenset[str] = frozenset(), wait: bool = True) -> Any:
    """Serves the page until the process ends; without wait, in the background. Returns what launch returned.

    Raises HostError where the port is taken.
    """
    address = "0.0.0.0" if listen else "127.0.0.1"
    with socket.socket() as asked:
        if asked.connect_ex(("127.0.0.1", port)) == 0:
            raise HostError(f"Port {port} is used by another program, perhaps by Darkroom itself. Choose another with "
                            "--port.")
    serve_queue(host)
    return build_page(host).launch(server_name=address, server_port=port, prevent_thread_lock=not wait,
                                   **launch_options(names, login, host))


def build_page(host: Standalone) -> gr.Blocks:
    def extra() -> None:
        with gr.Tab("Generate", elem_id="darkroom_tab_generate"):
            GenerateTab(host, list(SAMPLERS))

    with gr.Blocks(title="Darkroom", analytics_enabled=False) as blocks:
        gr.Markdown("# Darkroom")
        Page(host, extra=extra)
    return blocks


def launch_options(names: frozenset[str] = frozenset(), login: Login | None = None,
                   host: Standalone | None = None) -> dict[str, Any]:
    """Options of launch for all that the WebUI loads from an extension's folder by itself, and for who may come in."""
    routes = [corner.route(), *(make_router(host).routes if host else ())]
    door = Middleware(Door, names=names, login=login)
    return {"css": style(), "head": script(), "app_kwargs": {"routes": routes, "middleware": [door]},
            "max_file_size": LARGEST_UPLOAD, "share": False, "ssr_mode": False}  # both would pass the door by


def style() -> str:
    return "\n".join((PROJECT / name).read_text(encoding="utf-8") for name in ("style.css", "standalone.css"))


def script() -> str:
    """All of localizations/ and javascript/, which the WebUI loads by itself."""
    scripts = [path.read_text(encoding="utf-8") for path in sorted((PROJECT / "javascript").glob("*.js"))]
    return "".join(f"<script>{text}</script>" for text in (f"window.darkroomLanguages = {languages()}", *scripts))


def languages() -> str:
    """The translations by language, as JSON. javascript/language.js uses the one that fits the browser."""
    files = sorted((PROJECT / "localizations").glob("*.json"))
    return json.dumps({path.stem: json.loads(path.read_text(encoding="utf-8")) for path in files}).replace("</", "<\\/")
