"""The text with which a picture says how it was drawn, as the WebUI writes it into a PNG and reads it back."""

import io
import json
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ..host import Picture

KEY = "parameters"  # the PNG's text chunk


def infotext_of(image: Any, picture: Picture, model: str) -> str:
    """The host's own text where it has written one, else ours. model: the checkpoint's name."""
    text = image.info.get(KEY)
    return with_prompt(text, picture) if text else write_infotext(picture, model)


def with_prompt(text: str, picture: Picture) -> str:
    """The host's text with the whole prompt: the WebUI leaves tags out of it when it draws without its scripts."""
    begin = "Negative prompt: " if picture.negative else "Steps: "
    _, found, rest = f"\n{text}".rpartition(f"\n{begin}")
    return f"{picture.prompt}\n{begin}{rest}".lstrip() if found else text


def write_infotext(picture: Picture, model: str) -> str:
    values = {"Steps": picture.steps, "Sampler": picture.sampler, "CFG scale": f"{picture.cfg:g}", "Seed": picture.seed,
              "Size": f"{picture.width}x{picture.height}", "Model": quoted(model),
              **({"Clip skip": picture.clip_skip} if picture.clip_skip > 1 else {})}
    negative = [f"Negative prompt: {picture.negative}"] if picture.negative else []
    return "\n".join([picture.prompt, *negative, ", ".join(f"{key}: {value}" for key, value in values.items())])


def with_values(text: str, values: dict[str, str]) -> str:
    """The text with more values at its end."""
    return ", ".join([text, *(f"{key}: {quoted(value)}" for key, value in values.items())])


def quoted(value: str) -> str:
    """As the WebUI quotes what holds its separators."""
    return json.dumps(value, ensure_ascii=False) if any(c in value for c in ",:\n") else value


def png(image: Image.Image, text: str) -> bytes:
    info, file = PngInfo(), io.BytesIO()
    info.add_itxt(KEY, text) if not text.isascii() else info.add_text(KEY, text)
    image.save(file, "PNG", pnginfo=info)
    return file.getvalue()
