"""Tags in prompts, <lora:name:weight>, as the WebUI reads them."""

import re
from typing import NamedTuple

TAG = re.compile(r"<(\w+):([^>]+)>")


class Tag(NamedTuple):
    kind: str  # "lora"
    name: str
    te: float
    unet: float


def split(prompt: str) -> tuple[str, list[Tag]]:
    """The prompt without its tags, and the tags.

    <lora:name>, <lora:name:0.8>, <lora:name:0.5:0.8>, <lora:name:te=0.5:unet=0.8>.
    """
    tags = [parsed(match[1], match[2]) for match in TAG.finditer(prompt)]
    return TAG.sub("", prompt), [tag for tag in tags if tag]


def parsed(kind: str, inside: str) -> Tag:
    name, *arguments = inside.split(":")
    named = dict(a.split("=", 1) for a in arguments if "=" in a)
    plain = [a for a in arguments if "=" not in a]
    te = number(named.get("te") or (plain[0] if plain else ""), 1.0)
    unet = number(named.get("unet") or (plain[1] if len(plain) > 1 else ""), te)
    return Tag("lora" if kind == "lyco" else kind, name, te, unet)


def number(text: str, default: float) -> float:
    try:
        return float(text)
    except ValueError:
        return default
