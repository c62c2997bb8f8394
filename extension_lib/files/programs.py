"""Which programs read which kinds of files as they are meant, in every family, as docs/formats.md has it measured."""

from collections.abc import Iterable, Mapping

from .arithmetic import UP

EVERY = ("AUTOMATIC1111", "Forge", "ComfyUI", "diffusers", "LyCORIS", "kohya")
# By a tensor that only this kind has.
READERS: Mapping[str, tuple[str, ...]] = {
    "dora_scale": ("AUTOMATIC1111", "Forge", "ComfyUI"),
    "hada_w1_a": ("AUTOMATIC1111", "Forge", "ComfyUI", "LyCORIS"),
    "lokr_w": ("AUTOMATIC1111", "Forge", "ComfyUI", "LyCORIS"),
    "oft_blocks": ("AUTOMATIC1111", "ComfyUI", "LyCORIS"),
    "on_input": ("AUTOMATIC1111",),
    "a1.weight": ("AUTOMATIC1111", "Forge", "ComfyUI"),
    "diff": ("AUTOMATIC1111", "Forge", "ComfyUI", "LyCORIS"),
    "w_norm": ("AUTOMATIC1111", "LyCORIS"),
    UP: EVERY,
}


def readers_of(tensors: Iterable[str]) -> frozenset[str]:
    """The programs that read a layer of these tensors, by their names."""
    held = list(tensors)
    for sign, programs in READERS.items():
        if any(name == sign or sign == "lokr_w" and name.startswith(sign) for name in held):
            return frozenset(programs)
    return frozenset()


def readers_of_file(layers: Iterable[Iterable[str]]) -> list[str]:
    """Those that read all of a file's layers, in a fixed order."""
    kinds = {frozenset(own) for own in layers}
    common = frozenset(EVERY).intersection(*(readers_of(own) for own in kinds)) if kinds else frozenset()
    return [program for program in EVERY if program in common]

