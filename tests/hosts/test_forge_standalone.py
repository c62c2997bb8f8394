"""The host for Forge and Neo, driven on stand-ins of their modules: a run, its proof, and what Forge has afterwards."""

import gc
import threading
import weakref

import forges
import pytest
import torch
from helpers import BASE, draw_pictures, quick_run

from extension_lib.config.run import from_dict, merge_values, to_dict
from extension_lib.events import Warned
from extension_lib.host import Checkpoint, HostError, Picture
from extension_lib.runs.start import start_run, workspace_for


@pytest.fixture(params=[forges.MAIN, forges.NEO])
def program(request, tmp_path, monkeypatch):
    made = forges.Program(request.param, tmp_path / "data", BASE)
    made.install(monkeypatch)
    return made


@pytest.fixture
def host(program):
    from extension_lib.hosts.forge.host import Forge

    yield Forge()
    forges.forget_imports()  # they hold the stand-ins


@pytest.fixture
def checkpoint(host):
    return host.current()


PICTURE = Picture("a ghost", steps=1, width=64, height=64)


def test_forge_s_model_is_gone_before_ours_is_loaded_and_comes_back_for_the_next_picture(host, program, checkpoint):
    theirs = weakref.ref(program.forge_model_reload())
    with host.borrow(checkpoint) as model:
        assert theirs() is None and program.data_of_model.forge_hash == ""
        assert type(program.data_of_model.sd_model) is forges.FakeInitialModel
        assert not any(p.is_inference() or p.requires_grad for p in model.unet.parameters())
    assert {p.device.type for p in model.unet.parameters()} == {"meta"}  # its memory is given back
    assert host.draw([PICTURE]) == ["a picture"]
    assert program.events.count("load") == 2 and program.events[-1] == "draw a ghost"


def test_even_within_inference_mode_gradients_reach_what_is_trained(host, checkpoint):
    with torch.inference_mode(), host.borrow(checkpoint) as model:
        weight = model.unet_layers().__next__().module.weight.requires_grad_(True)
        noisy = torch.randn(1, 4, 8, 8)
        model.predict(noisy, torch.tensor([5]), model.encode_prompts(["a ghost"])).sum().backward()
        assert weight.grad is not None


def test_while_it_trains_others_wait_and_its_own_pictures_are_drawn_without_forge(host, program, checkpoint):
    drawn = []
    waiting = threading.Thread(target=lambda: drawn.extend(host.draw([PICTURE])))
    with host.borrow(checkpoint):
        waiting.start()
        image, = host.draw([PICTURE])
        assert image.size == (64, 64) and not drawn and "draw a ghost" not in program.events
    waiting.join(60)
    assert drawn == ["a picture"]


RUNS = {"lora": {"method": {"unet_rate": 1e-3, "rank": 2, "skip_blocks": "IN02-OUT09"}},
        "textual_inversion": {"saving": {"precision": "fp32"}}}


@pytest.mark.parametrize("method", RUNS)
def test_a_run_leaves_a_file_that_forge_s_loader_reads_as_it_was_trained(host, program, tmp_path, method):
    concept = {"folder": str(draw_pictures(tmp_path / "pictures", 1)), "instance_prompt": "a [name] ghost"}
    run = from_dict(merge_values({
        "output": {"name": "zwx"}, "base": {"checkpoint": BASE.name}, "concepts": [concept], "method": {"name": method},
        "data": {"resolution": 64}, "training": {"steps": 1, "batch_size": 1, "accumulation": 1, "measure_every": 1000},
        "previews": {"card": False}}, RUNS[method]))
    job = start_run(run, host, workspace_for(run, host))
    assert not job.wait(600).failed, job.ended.why
    assert not [event.message for event in job.history if isinstance(event, Warned) and "load" in event.message]
    assert {"list models", "list networks"} <= set(program.events)
    assert program.data_of_model.forge_hash == ""


def test_a_run_of_which_forge_would_leave_out_a_part_ends_before_its_first_step(host, tmp_path, monkeypatch):
    from backend.patcher import lora

    monkeypatch.setattr(lora, "model_lora_keys_clip", lambda model, key_map: {})
    run = quick_run(draw_pictures(tmp_path / "pictures", 1), base={"checkpoint": BASE.name}, training={"steps": 1})
    job = start_run(run, host, workspace_for(run, host))
    ended = job.wait(600)
    assert ended.failed and "tensors would be left out here, such as lora_te_" in ended.why and ended.step == 0


@pytest.mark.parametrize("method", ["hypernetwork", "oft", "boft", "ia3"])
def test_what_forge_has_no_use_for_is_refused_with_what_to_train_instead(host, program, tmp_path, method):
    run = from_dict({**to_dict(quick_run(draw_pictures(tmp_path / "pictures", 1))), "method": {"name": method}})
    with pytest.raises(HostError, match=f"{program.kind} does not (read|use).*Train LoRA"):
        start_run(run, host, workspace_for(run, host))


def test_a_file_that_is_written_again_is_read_again(host, program, tmp_path):
    import networks
    from modules import processing

    theirs = program.forge_model_reload()
    path = program.data / "lora" / "zwx.safetensors"
    forges_file(path)
    networks.load_lora_state_dict(str(path))
    theirs.current_lora_hash = "[zwx]"
    processing.StableDiffusionProcessing.cached_c = ["prompt", None, None]
    host.forget(path)
    networks.load_lora_state_dict(str(path))
    assert len(program.reads) == 2 and theirs.current_lora_hash == "[]"
    assert theirs.forge_objects_original.unet.lora_loader.loaded_hash != "one"
    assert theirs.forge_objects_original.clip.patcher.lora_loader.loaded_hash != "one"
    assert processing.StableDiffusionProcessing.cached_c == [None, None, None]


def forges_file(path):
    from safetensors.torch import save_file

    save_file({"x.alpha": torch.ones(1)}, path)


def test_a_checkpoint_that_is_written_again_is_loaded_again(host, program):
    theirs = weakref.ref(program.forge_model_reload())
    host.forget(BASE)
    gc.collect()
    assert theirs() is None and program.data_of_model.forge_hash == ""


def test_an_embedding_just_written_is_a_word_without_another_load(host, program):
    theirs = program.forge_model_reload()
    forges_file(program.data / "embeddings" / "zwx.safetensors")
    host.refresh()
    assert "zwx" in theirs.text_processing_engine.embeddings.word_embeddings


def test_a_checkpoint_that_forge_does_not_recognise_is_named_beforehand(host, program, tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "odd.safetensors"
    save_file({"cond_stage_model.transformer.x": torch.zeros(1)}, path)
    with pytest.raises(HostError, match=f"{program.kind} does not recognise odd.safetensors"):
        from extension_lib.hosts.forge.names import require_recognized

        require_recognized(path)
    assert host.advice(Checkpoint("odd", path)) == []  # it is no checkpoint that is trained on anyway


@pytest.mark.parametrize(("has", "title"), [({"modules_forge"}, "reForge or Forge Classic"),
                                            ({"modules.sd_offload"}, "SD.Next")])
def test_relatives_that_are_not_supported_are_refused_by_name(program, monkeypatch, has, title):
    from extension_lib.hosts import webui

    monkeypatch.setattr(webui, "has", has.__contains__)
    assert title in webui.host().unsupported
