"""Settings of every method with which a few steps show."""

from typing import Any

from helpers import small_run

from extension_lib import methods
from extension_lib.config.run import merge_values
from extension_lib.settings import options

FAST = {"unet_rate": 1e-2, "text_rate": 1e-2}
THIN = {"rank": 4, "alpha": 4, **FAST}
# Of the methods that ship: each has Chinese texts, and golden files where it is an adapter. A name with a word behind
# it is the same method in another way.
EAGER: dict[str, dict[str, Any]] = {
    "lora": THIN, "lora, DoRA": {**THIN, "dora": True}, "lora, rs-LoRA and LoRA+": {**THIN, "rs_lora": True, "plus": 4},
    "locon": {**THIN, "conv_rank": 2, "conv_alpha": 2}, "loha": THIN, "loha, DoRA": {**THIN, "dora": True},
    "loha, with convolutions": {**THIN, "layers": "with convolutions"},
    "lokr": {**THIN, "factor": 4, "layers": "with convolutions"}, "lokr, whole": {**THIN, "full_matrix": True},
    "lokr, DoRA": {**THIN, "dora": True}, "ia3": FAST,
    "ia3, every linear layer": {**FAST, "layers": "every linear layer"},
    "oft": {**FAST, "block_size": 8, "layers": "with convolutions"},
    "boft": {**FAST, "block_size": 8, "layers": "with convolutions",
             "skip_blocks": "IN05-OUT08"},  # its solves are slow
    "glora": THIN, "dylora": {**THIN, "block_size": 2, "skip_blocks": "IN03-OUT08"},
    "full": {**FAST, "layers": "everything"}, "norm": FAST,
    "textual_inversion": {"rate": 0.05, "vectors": 3}, "hypernetwork": {"rate": 1e-2},
    "hypernetwork, with everything": {"rate": 1e-2, "structure": "1, 1.5, 2, 1", "dropout": "0, 0.1, 0, 0",
                                      "activation": "mish"},
    "pivotal": {"word_rate": 0.05, "unet_rate": 1e-2, "rank": 4, "alpha": 4, "pivot": 0.25, "text_rate": 1e-2},
    "dreambooth": {"unet_rate": 1e-4, "text_rate": 1e-4, "text_share": 1.0},
    "dreambooth, EMA": {"unet_rate": 1e-3, "text_rate": 0, "ema": 0.5},
    "pivotal, LoKr": {"adapter": "lokr", "word_rate": 0.05, "unet_rate": 1e-2, "rank": 4, "alpha": 4, "pivot": 0.25}}


SHIPPED = {way.partition(",")[0] for way in EAGER}


def settings_of(way):
    """Of a method that does not ship, what suits most adapters."""
    known = {o.name for o in options(methods.all_methods()[way.partition(",")[0]])}
    return EAGER.get(way, {name: value for name, value in THIN.items() if name in known})


def method_of(way):
    return methods.all_methods()[way.partition(",")[0]](**settings_of(way))


def run_of(pictures, way, **sections):
    """Two steps of a method in one of these ways. Captions say "a zwx ghost"; where a word is learned, it is zwx."""
    return small_run(pictures, **merge_values({"method": {"name": way.partition(",")[0], **settings_of(way)},
                                         "concepts": [{"folder": str(pictures), "word": "zwx"}],
                                         "training": {"steps": 2, "batch_size": 1}}, sections))


def preset():
    """The same as a preset beside a checkpoint. A LoRA also leaves copies, to be compared by step."""
    ways = {method: {"method": settings_of(method)} for method in methods.all_methods()}
    return {"data": {"resolution": 64},
            "training": {"batch_size": 2, "checkpointing": False, "warmup": 0, "schedule": "constant"},
            "methods": merge_values(ways, {"dreambooth": {"prior": {"preserve": False}},
                                           "lora": {"saving": {"save_every": 10}}})}
