"""Small true things that tests are made of."""

import time
from dataclasses import replace
from pathlib import Path
from random import Random

import torch

from extension_lib.config.run import Run, from_dict, merge_values, new_words_of
from extension_lib.events import Autosaved, Paused
from toyland.scene import Figure, Scene, draw
from toyland.settings import SETTINGS

ROOT = Path(__file__).resolve().parents[1]
TOYLAND = ROOT / "toyland"
BASE = TOYLAND / "base.safetensors"


def load_view():
    """Toyland's base through whichever classes this environment has."""
    from extension_lib.families.sd1 import SD1

    cpu = torch.device("cpu")
    try:
        import diffusers  # noqa: F401
    except ImportError:
        from ldm_model import latent_diffusion

        from extension_lib.models.ldm_view import LdmView

        return LdmView(latent_diffusion(), cpu, torch.float32, SD1)
    from extension_lib.models.diffusers_view import load_view as load_diffusers_view

    return load_diffusers_view(BASE, cpu, torch.float32)


def draw_pictures(folder: Path, count: int = 5, caption: str = "a zwx ghost") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for n in range(count):
        setting = list(SETTINGS)[n % len(SETTINGS)]
        scene = Scene((Figure("ghost", "blue", "skull mask with goggles", "orange"),), setting)
        draw(scene, Random(n)).save(folder / f"{n}.png")
        (folder / f"{n}.txt").write_text(f"{caption} {setting}", encoding="utf-8")
    return folder


def small_run(folder: Path, **sections) -> Run:
    """A short LoRA run on these pictures; sections change it: training={"steps": 3}."""
    values = {"output": {"name": "ghost"}, "base": {"checkpoint": "toyland"}, "concepts": [{"folder": str(folder)}],
              "method": {"rank": 4, "alpha": 4, "unet_rate": 2e-3, "text_rate": 5e-4}, "data": {"resolution": 64},
              "training": {"steps": 4, "batch_size": 2, "checkpointing": False, "measure_every": 1000},
              "previews": {"card": False}}
    return from_dict(merge_values(values, sections))


def quick_run(folder: Path, **sections) -> Run:
    """small_run() on a few layers: for tests of what happens around a training."""
    return small_run(folder, **merge_values({"method": {"skip_blocks": "IN03-OUT08"}}, sections))


class NoFiles:
    """Results that go nowhere, for tests of the loop alone."""

    def __init__(self):
        self.saved, self.kept, self.discarded = [], [], False

    def resume(self, trainable, optimizer):
        from extension_lib.training.loop import StartPoint

        return StartPoint()

    def save(self, step, trainable, optimizer, final):
        self.saved.append((step, final))
        yield from ()

    def keep(self, step, trainable, optimizer):
        self.kept.append(step)
        return Autosaved(step)

    def pause(self, step, trainable, optimizer):
        return Paused(step)

    def discard(self):
        self.discarded = True


def write_trained_state(space, lifetime, **facts):
    """A workspace's saved state of so many steps, with hardly anything in it."""
    from extension_lib.runs.state import write_state

    write_state(space.state, {"method": "lora", "step": lifetime, "lifetime": lifetime, "trained": {}, **facts})


def trained(model, run, controls=None):
    """Runs the loop; returns its events and the trainable, still attached."""
    from extension_lib.data.batches import Batches
    from extension_lib.data.folder import find_all_pictures
    from extension_lib.training.controls import Controls
    from extension_lib.training.loop import train

    words = new_words_of(run) if run.method.product.learns_words else ()
    trainable = run.method.attach(model, run.training.seed, words)
    items = [item for found in find_all_pictures(run) for item in found.items]
    batches = Batches(run, model, items, text_trained=any(p.startswith("te") for p in trainable.parts))
    list(batches.prepare())
    return list(train(run, model, trainable, batches, NoFiles(), controls or Controls())), trainable


def losses(events):
    from extension_lib.events import Stepped

    return [e.loss for e in events if isinstance(e, Stepped)]


def about(run, **changes):
    """The facts of a run that a file's header tells."""
    from extension_lib.export.provenance import Provenance
    from extension_lib.families.sd1 import SD1

    facts = Provenance(run=run, family=SD1, prediction="eps", checkpoint=Path("toyland.safetensors"),
                  checkpoint_hash="ab" * 32, step=4, last_step=4, epoch=2, pictures=5, class_pictures=0,
                  compute="no", per_epoch=3, folders={"pictures": (1, 5)},
                  tags={"pictures": {"a zwx ghost": 5}}, buckets={(64, 64): 5},
                  started=time.time(), finished=time.time())
    return replace(facts, **changes)
