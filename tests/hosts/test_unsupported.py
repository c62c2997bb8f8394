"""In reForge the page is built, says that nothing can be trained there, and refuses to; it starts as in the WebUI."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WEBUI = {  # as much of reForge as is asked before anyone clicks
    "modules_forge/__init__.py": "",
    "modules/__init__.py": "",
    "modules/paths.py": "models_path = 'models'",
    "modules/shared.py": """
from types import SimpleNamespace
cmd_opts = SimpleNamespace(lora_dir="lora", embeddings_dir="embeddings", hypernetwork_dir="hypernetworks",
                           ckpt_dir=None, hide_ui_dir_config=True)
""",
    "modules/hashes.py": "def sha256_from_cache(filename, title): return None",
    "modules/sd_models.py": "checkpoints_list = {}",
    "modules/scripts.py": "scripts_data = []",
    "modules/script_callbacks.py": """
kept = {}
def on_model_loaded(made): kept["loaded"] = made
def on_before_ui(made): kept["axes"] = made
def on_ui_tabs(made): kept["tabs"] = made
def on_app_started(made): kept["routes"] = made
""",
}
SCRIPT = """
import importlib.util, sys
from modules import script_callbacks
spec = importlib.util.spec_from_file_location("darkroom.py", "{root}/scripts/darkroom.py")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
script_callbacks.kept["axes"]()
[(blocks, title, elem_id)] = script_callbacks.kept["tabs"]()
import fastapi
def answers(page):
    app = fastapi.FastAPI()
    script_callbacks.kept["routes"](page, app)
    return any(route.path == "/darkroom/job" for route in app.routes)
open_page, api_alone = answers(blocks), answers(None)
blocks.auth = [("name", "password")]
assert (open_page, api_alone, answers(blocks)) == (True, False, False)
said = [b.value for b in blocks.blocks.values() if getattr(b, "elem_id", None) == "darkroom_unsupported"]
from extension_lib.ui.page import Page
from extension_lib.hosts import webui
import gradio as gr
with gr.Blocks():
    page = Page(webui.host())
assert not page.layout.concepts.fields["folder"].visible, "--hide-ui-dir-config is not honoured"
refused = page.train_events.start({{page.layout.model.workspace: None}})
print(title, *said, refused[page.layout.train.answer], sep="|")
"""


@pytest.mark.once
def test_the_page_says_so_and_train_refuses(tmp_path):
    for name, text in WEBUI.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    code = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]\n" + SCRIPT.format(root=ROOT.as_posix())
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    title, notice, refusal = done.stdout.strip().splitlines()[-1].split("|")
    assert title == "Darkroom" and all("does not train in reForge" in said for said in (notice, refusal))
