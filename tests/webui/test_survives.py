"""A run in a real WebUI outlives "Reload UI"; what it has learned outlives kill -9, SIGTERM and the server's end."""

import hashlib
import os
import shutil
import signal
import time
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path

import pytest
from browser import (
    begin,
    choose_tab,
    create,
    free_port,
    opened,
    opened_in,
    show_darkroom,
    show_pictures,
    unfold,
    wait_for_end,
    wait_for_step,
)
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from webui import server

from extension_lib.workspaces.workspace import Workspace
from toyland.subjects import SUBJECTS

WEBUI = Path(os.environ.get("WEBUI_DIR", ""))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    made = tmp_path_factory.mktemp("webui 数据")
    server.prepare(made)
    return made


@contextmanager
def darkroom(data):
    """A WebUI on this data folder, and its page with the Darkroom tab open."""
    with server.running(WEBUI, data, free_port(), "--api-server-stop") as webui, opened(webui.url) as page:
        show_darkroom(page)
        yield webui, page


def workspace(data) -> Workspace:
    return Workspace(data / "models" / "darkroom" / "kept")


def lines(data, what: str) -> list[dict]:
    return [line for line in workspace(data).logs()[-1].read_lines() if line["what"] == what]


def replace_checkpoint(data) -> str:
    """Another file in place of the loaded one; returns its sha256."""
    path = next((data / "models" / "Stable-diffusion").glob("*.safetensors"))
    tensors = load_file(path)
    save_file({name: tensor * 0.99 for name, tensor in tensors.items()}, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def continued(page, said: str) -> None:
    """Presses Continue, under the sentence that says what was kept."""
    choose_tab(page, "Train")
    page.wait_for_selector(f"#darkroom_kept >> text={said}")
    page.click("#darkroom_continue_kept")
    page.wait_for_selector("#darkroom_live .darkroom-badge.running")


def test_a_run_outlives_reload_ui_kill_9_and_sigterm_and_a_replaced_checkpoint_is_loaded_anew(data, seen):
    with darkroom(data) as (webui, page):
        create(page, "kept")
        shutil.copytree(SUBJECTS["ghost"].folder, data / "pictures" / "ghost")
        show_pictures(page, "~/pictures/ghost")
        choose_tab(page, "Train")
        unfold(page, "Advanced")
        begin(page, training_steps=3000, saving_autosave_minutes=0.02)
        wait_for_step(page, 5)
        page.evaluate("document.querySelector('#settings_restart_gradio').click()")
        end = time.monotonic() + 120
        while webui.console().count("Startup time:") < 2 and time.monotonic() < end:
            page.wait_for_timeout(500)
        at_reload = lines(data, "step")[-1]["step"]
        page = opened_in(page.context.browser, webui.url)  # the other one loads itself anew
        show_darkroom(page)
        choose_tab(page, "Train")
        wait_for_step(page, at_reload + 3)
        assert not lines(data, "ended")
        webui.process.kill()
        webui.process.wait()
    done, kept = lines(data, "step")[-1], lines(data, "kept")[-1]
    assert workspace(data).newest_state().step == kept["step"] > 0
    assert done["time"] - kept["time"] < 30

    with darkroom(data) as (webui, page):
        continued(page, f"Interrupted at step {done['step']}. {kept['step']} steps are kept.")
        wait_for_step(page, kept["step"] + 2)
        assert lines(data, "began")[-1]["start"] == kept["step"]
        webui.process.send_signal(signal.SIGTERM)
        webui.process.wait(120)
    ended = lines(data, "ended")[-1]
    assert ended["leaving"] and workspace(data).newest_state().step == ended["step"] > kept["step"]

    with darkroom(data) as (webui, page):
        continued(page, "The program was told to end (SIGTERM).")
        wait_for_step(page, ended["step"] + 2)
        with suppress(OSError, HTTPException):  # it ends before it answers
            webui.post("/sdapi/v1/server-kill")
        webui.process.wait(120)
    killed = lines(data, "ended")[-1]
    assert killed["why"] == "The WebUI ended, or started again." and killed["step"] > ended["step"]

    with darkroom(data) as (webui, page):
        continued(page, "The WebUI ended, or started again.")
        wait_for_step(page, killed["step"] + 2)
        page.click("#darkroom_stop")
        assert "Stopped by you" in wait_for_end(page) and (webui.loras / "kept.safetensors").exists()
        without, with_it = (webui.txt2img(prompt) for prompt in ("a ghost", "a ghost <lora:kept:1>"))
        assert without != with_it
        digest = replace_checkpoint(data)
        loads = webui.console().count("Loading weights")
        create(page, "after")
        show_pictures(page, "~/pictures/ghost")
        begin(page, training_steps=2)
        wait_for_end(page)
        assert webui.console().count("Loading weights") > loads
        with safe_open(webui.loras / "after.safetensors", "pt") as file:
            assert file.metadata()["ss_new_sd_model_hash"] == digest
    seen({"steps_at_kill": done["step"], "kept": kept["step"], "seconds_lost": round(done["time"] - kept["time"], 1),
          "steps_at_sigterm": ended["step"]})
