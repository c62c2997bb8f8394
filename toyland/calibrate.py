"""Stage 5: measures the base, and where each subject's fidelity is 0 and 1."""

import json
from dataclasses import asdict
from random import Random
from typing import Any

import torch

from extension_lib.host import find_checkpoint
from extension_lib.hosts.standalone import Standalone
from extension_lib.support.disk import write_text

from .captions import PHRASES, an
from .judge import Judge
from .measure import CALIBRATION, CFG, STEPS, Scale, mean, pictures, prompts
from .scene import draw
from .stage import WORK
from .subjects import SUBJECTS
from .train_judge import through_vae
from .train_vae import to_tensor
from .world import HELD_OUT, random_scene

CAPTIONS, PAIRS, CLASS_PICTURES = 400, 100, 256
BASE_CFG = 4.0  # captions of two things need more guidance than a subject


def held_out_captions(rng: Random) -> list[tuple[str, tuple[str, str, str]]]:
    combinations = sorted(HELD_OUT)
    out = []
    for n in range(CAPTIONS):
        kind, colour, setting = combinations[n % len(combinations)]
        out.append((f"{an(f'{colour} {kind}')} {rng.choice(PHRASES[setting])}", (kind, colour, setting)))
    return out


def pair_captions(rng: Random) -> list[tuple[str, set[str]]]:
    scenes = [random_scene(rng, pairs=1.0) for _ in range(PAIRS)]
    return [(f"{' next to '.join(an(f'{f.colour} {f.kind}') for f in s.figures)} {rng.choice(PHRASES[s.setting])}",
             {f.kind for f in s.figures}) for s in scenes]


def base_figures(host: Standalone, judge: Judge) -> dict[str, Any]:
    """How often the base draws what held-out captions ask for."""
    rng = Random("calibrate")
    asked, pairs = held_out_captions(rng), pair_captions(rng)
    reading = judge.read(host.draw(pictures([(text, "") for text, _ in asked], seed=20_000, cfg=BASE_CFG)))
    right = [torch.tensor([float(a == want[i]) for a, (_, want) in zip(said, asked)])
             for i, said in enumerate((reading.kind(), reading.colour(), reading.setting()))]
    two = judge.read(host.draw(pictures([(text, "") for text, _ in pairs], seed=30_000, cfg=BASE_CFG))).two_kinds()
    both = torch.tensor([float(a == want) for a, (_, want) in zip(two, pairs)])
    return {
        name: asdict(mean(values))
        for name, values in zip(("kind", "colour", "setting", "both of two"), [*right, both])
    }


def scales(host: Standalone, judge: Judge) -> dict[str, Any]:
    out = {}
    for subject in SUBJECTS.values():
        rng = Random(f"scale {subject.name}")
        fresh = to_tensor([draw(subject.fresh(rng), rng) for _ in range(CLASS_PICTURES)])
        seen = through_vae(fresh).float() / 127.5 - 1
        with torch.no_grad():
            place = list(SUBJECTS).index(subject.name)
            true = judge.network(seen)["subjects"].sigmoid()[:, place].mean().item()
        drawn = host.draw(pictures(prompts(subject, word=False, count=CLASS_PICTURES), seed=40_000))
        base = judge.read(drawn).subject(subject.name).mean().item()
        out[subject.name] = asdict(Scale(base=round(base, 4), fresh=round(true, 4)))
    return out


def calibrate() -> None:
    judge, host = Judge(), Standalone(WORK / "studio")
    host.load(find_checkpoint(host, "toyland"))
    facts = {
        "base": base_figures(host, judge), "scales": scales(host, judge), "steps": STEPS, "base cfg": BASE_CFG,
        "cfg": CFG
    }
    write_text(CALIBRATION, json.dumps(facts, indent=2) + "\n")
    print(json.dumps(facts, indent=2))


if __name__ == "__main__":
    calibrate()
