"""Every setting does something: changing it changes losses, tensors, pictures or files within three steps, or is
refused.
"""

import hashlib
import json
from typing import Any

import pytest
from eager import EAGER
from helpers import draw_pictures
from PIL import Image
from safetensors.torch import load_file

from extension_lib import methods
from extension_lib.config.run import all_sections, from_dict, merge_values
from extension_lib.data.pictures import load_picture
from extension_lib.errors import DarkroomError
from extension_lib.events import Measured, Previewed, Stepped
from extension_lib.export import hypernetwork
from extension_lib.host import find_checkpoint
from extension_lib.hosts.standalone import Loaded, Standalone
from extension_lib.runs.start import start_run
from extension_lib.settings import options
from extension_lib.workspaces import workspace

# What changes neither a picture nor a tensor nor a file, and where it is proven instead.
ELSEWHERE = {
    ("training", "checkpointing"): "test_loop: checkpointing keeps fewer activations, and changes nothing else",
    ("training", "offload"): "test_offload: gradients are bit for bit those without",
    ("method (lora)", "text_rate_2"): "test_second_text_encoder: it is another rate of that encoder",
    ("method (dreambooth)", "text_rate_2"): "test_second_text_encoder",
    ("method (pivotal)", "text_rate_2"): "test_second_text_encoder",
    ("saving", "cache_limit"): "test_cached: a second run encodes none, and its batches are the same",
    ("saving", "autosave_minutes"): "test_kept: the interval decides how often a state is kept",
}
# Another value where doubling or the next choice would not do.
VALUES = {
    ("output", "name"): "other",
    ("base", "checkpoint"): "/nowhere.safetensors",
    ("concepts", "instance_prompt"): "a dog",
    ("concepts", "word"): "dog",
    ("concepts", "class_prompt"): "a dog",
    ("concepts", "repeats"): 5,
    ("base", "prediction"): "v",
    ("data", "resolution"): 128,
    ("data", "caption_dropout"): 1.0,
    ("data", "random_shift"): 0.2,
    ("noise", "max_timestep"): 100,
    ("noise", "min_timestep"): 500,
    ("data", "clip_skip"): 2,
    ("training", "clip"): 1e-6,
    ("training", "steps"): 2,
    ("training", "warmup"): 0.5,
    ("training", "optimizer"): "Lion",
    ("training", "cycles"): 2,
    ("training", "betas"): "0.5, 0.9",
    ("training", "measure_every"): 1,
    ("training", "weight_decay"): 0.9,
    ("saving", "save_every"): 2,
    ("previews", "preview_every"): 3,
    ("previews", "prompts"): ["a dog"],
    ("previews", "sampler"): "DDIM",
    ("prior", "pictures"): 2,
    ("prior", "drawing_steps"): 3,
    ("method", "skip_blocks"): "IN00-OUT10, BASE",
    ("method", "module_dropout"): 0.6,
    ("method", "rank_dropout"): 0.6,
    ("method", "dropout"): 0.6,
    ("method", "initial"): "dog",
    ("method", "sizes"): "96",
    ("method", "text_share"): 0.3,
    ("method", "ema"): 0.5,
    ("method", "pivot"): 0.4,
    ("method", "vectors"): 2,
}
METHOD_VALUES = {("hypernetwork", "structure"): "1, 3, 1", ("hypernetwork", "dropout"): "0, 0.5, 0",
                 ("hypernetwork", "initial"): "Normal", ("hypernetwork", "activation"): "tanh"}
# What else must be set for a control to matter.
SHUFFLED = {"data": {"shuffle_captions": True}}
PRESERVED = {"prior": {"preserve": True, "pictures": 1, "drawing_steps": 2}}
DRAWN = {"previews": {"preview_every": 3}}
CONTEXT: dict[tuple[str, str], dict[str, Any]] = {
    ("concepts", "word"): {"concepts": {"instance_prompt": "a [name]"}},
    ("concepts", "class_prompt"): PRESERVED,
    ("concepts", "class_folder"): PRESERVED,
    ("prior", "preserve"): {"prior": {"pictures": 1, "drawing_steps": 2}},
    ("data", "keep_first"): SHUFFLED,
    ("noise", "huber_c"): {"noise": {"loss": "Huber"}},
    ("noise", "huber_schedule"): {"noise": {"loss": "Huber"}},
    ("noise", "multires_discount"): {"noise": {"multires_levels": 6}},
    ("data", "buckets"): {"data": {"resolution": 128}},
    ("saving", "keep_last"): {"saving": {"save_every": 1}},
    ("training", "in_backward"): {"training": {"clip": 1e-6}},
    ("training", "cycles"): {"training": {"schedule": "cosine with restarts"}},
    ("training", "power"): {"training": {"schedule": "polynomial"}},
    ("prior", "weight"): PRESERVED,
    ("prior", "pictures"): PRESERVED,
    ("prior", "drawing_steps"): PRESERVED,
    ("prior", "cfg"): PRESERVED,
    ("previews", "prompts"): DRAWN,
    ("previews", "preview_steps"): DRAWN,
    ("previews", "cfg"): DRAWN,
    ("previews", "preview_seed"): DRAWN,
    ("previews", "sampler"): DRAWN,
}
METHOD_CONTEXT: dict[tuple[str, str], dict[str, Any]] = {
    ("textual_inversion", "hold_norm"): {"method": {"rate": 0.5}},
    ("pivotal", "hold_norm"): {"method": {"word_rate": 0.5}},
    ("hypernetwork", "activate_output"): {"method": {"activation": "tanh", "initial": "Normal"}},
    ("pivotal", "keep_learning"): {"method": {"pivot": 0.4}},
}
# Other values that are refused, with what the refusal says.
REFUSED = {("base", "checkpoint"): "There is no checkpoint"}


def own_options():
    """(section, option): what a section inherits from a class of which another section inherits it too is tried with
    the first.
    """
    seen = []
    for section, cls in all_sections().items():
        for option in options(cls):
            described = vars(cls)["__dataclass_fields__"][option.name]
            if not any(described is other for other in seen):
                seen.append(described)
                yield section, option


CASES = [(section, option) for section, option in own_options() if (section, option.name) not in ELSEWHERE]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three pictures, one of them wide, with captions of several parts and brackets."""
    made = draw_pictures(tmp_path_factory.mktemp("pictures") / "subject", 2)
    for n in range(2):
        (made / f"{n}.txt").write_text("a zwx ghost, (blue), one, two, three, four", encoding="utf-8")
    Image.linear_gradient("L").rotate(90).resize((160, 64)).convert("RGB").save(made / "wide.png")
    for stem in ("0", "1", "wide"):
        Image.linear_gradient("L").save(made / f"{stem}-mask.png")
    (made / "wide.txt").write_text("a zwx wall, [red], five, six", encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def host(tmp_path_factory, view):
    made = Standalone(tmp_path_factory.mktemp("studio"))
    made.ready = Loaded(find_checkpoint(made, "toyland"), view)
    return made


def values_of(folder, method):
    few = {"skip_blocks": "IN00-IN11, MID, OUT00-OUT10"} if hasattr(methods.all_methods()[method], "signature") else {}
    way = {**EAGER[method], **few}
    return {"output": {"name": "thing"}, "base": {"checkpoint": "toyland"}, "method": {"name": method, **way},
            "concepts": [{"folder": str(folder), "word": "zwx", "class_prompt": "a ghost"}],
            "data": {"resolution": 64}, "training": {"steps": 3, "batch_size": 1, "warmup": 0.0, "checkpointing": False,
                                                  "measure_every": 1000},
            "previews": {"card": False, "preview_steps": 2, "prompts": ["a zwx ghost"]},
            "saving": {"precision": "fp32"}}


def with_concept(values, changes):
    """merge_values(), where a change of concepts is one of the first concept."""
    changes = dict(changes)
    if "concepts" in changes:
        changes["concepts"] = [{**values["concepts"][0], **changes["concepts"]}]
    return merge_values(values, changes)


def digest(path):
    """Of the tensors; the header does not count."""
    if path.suffix == ".safetensors":
        tensors = load_file(path)
    elif path.suffix == ".pt" and "hyper" in str(path):
        tensors = hypernetwork.read_hypernetwork(path).tensors()
    else:
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.suffix == ".png" else ""
    return hashlib.sha256(b"".join(k.encode() + t.float().numpy().tobytes() + str(t.dtype).encode()
                                   for k, t in sorted(tensors.items()))).hexdigest()


def require_no_crash(records):
    """A refusal is logged as its message, a crash with its traceback; a crash is no change that a setting makes."""
    crashes = [record.getMessage() for record in records if record.exc_info]
    assert not crashes, crashes


@pytest.fixture
def outcome(host, tmp_path_factory, caplog):
    def outcome_of(values):
        result = outcome_on(host, values, tmp_path_factory.mktemp("out"))
        require_no_crash(caplog.records)
        return result

    return outcome_of


def outcome_on(host, values, root):
    """All that a run leaves: losses, previews, files; or why it was refused."""
    kept = host.folders
    host.folders = type(kept)(*(root / n
                                for n in ("loras", "embeddings", "hypernetworks", "checkpoints", "workspaces")))
    try:
        run = from_dict(values)
        space = workspace.create_workspace(host.folders.workspaces, "thing", run)
        job = start_run(run, host, space)
        job.wait(120)
        if job.ended.failed:
            return {"refused": job.ended.why}
        files = {
            str(p.relative_to(root)): digest(p)
            for p in sorted(root.rglob("*"))
            if p.is_file() and "runs" not in p.parts and p.suffix in (".safetensors", ".pt",
                                                                      ".png") and p.name != "state.safetensors"
        }
        return {
            "losses": [(e.loss, e.class_loss) for e in job.history if isinstance(e, Stepped)], "files": files,
            "measured": [e.loss for e in job.history if isinstance(e, Measured)],
            "previews": [[load_picture(path).tobytes().hex()
                          for path in e.paths]
                         for e in job.history
                         if isinstance(e, Previewed)]
        }
    except DarkroomError as error:
        return {"refused": str(error)}
    finally:
        host.folders = kept


OUTCOMES: dict[str, dict] = {}


def changed(option, section, method):
    key = ("method" if section.startswith("method") else section, option.name)
    if (method, option.name) in METHOD_VALUES and section.startswith("method"):
        return METHOD_VALUES[method, option.name]
    if key in VALUES:
        return VALUES[key]
    now = EAGER[method].get(option.name, option.default) if key[0] == "method" else option.default
    if option.choices:
        return next(c for c in option.choices if c != now)
    if option.kind is bool:
        return not now
    double = now * 2 if now else 0.3
    return type(now)(min(double, option.max) if option.max is not None else double) if now else (
        1 if option.kind is int else 0.3)


@pytest.mark.parametrize("section, option", CASES, ids=[f"{s}.{o.name}" for s, o in CASES])
def test_changing_it_changes_the_run(outcome, folder, tmp_path, section, option):
    method = section[8:-1] if section.startswith("method (") else "lora"
    name = "method" if section.startswith("method (") else section
    values = values_of(folder, method)
    for context in (CONTEXT.get((section, option.name)), METHOD_CONTEXT.get(
        (method, option.name)) if name == "method" else None):
        values = with_concept(values, context) if context else values
    value = changed(option, section, method)
    if option.name in ("folder", "class_folder"):
        value = str(draw_pictures(tmp_path / "pictures", 3, "a dog"))
    key = json.dumps(values, sort_keys=True, default=str)
    if key not in OUTCOMES:
        OUTCOMES[key] = outcome(values)
    before = OUTCOMES[key]
    assert "refused" not in before, before
    after = outcome(with_concept(values, {name: {option.name: value}}))
    if (section, option.name) in REFUSED:
        assert REFUSED[section, option.name] in after["refused"]
    else:
        assert "refused" not in after, after
        assert after != before


@pytest.mark.parametrize("error", [TypeError("an integer is required"), RuntimeError("shapes do not match")])
def test_a_crash_is_no_change(outcome, folder, monkeypatch, error):
    def crash(*_):
        raise error

    monkeypatch.setattr(methods.all_methods()["lora"], "attach", crash)
    with pytest.raises(AssertionError, match=str(error)):
        outcome(values_of(folder, "lora"))


def test_the_list_of_what_is_proven_elsewhere_names_true_controls():
    known = {(section, o.name) for section, cls in all_sections().items() for o in options(cls)}
    assert set(ELSEWHERE) | set(REFUSED) <= known


def test_an_option_that_methods_inherit_is_tried_once_and_an_own_one_for_each():
    tried = [(section, option.name) for section, option in CASES]
    assert ("method (lora)", "rank_dropout") in tried and ("method (locon)", "rank_dropout") not in tried
    assert ("method (locon)", "conv_rank") in tried and ("method (hypernetwork)", "structure") in tried
