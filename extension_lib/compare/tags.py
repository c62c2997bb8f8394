"""Tags in prompts, <lora:name:weight>, as the WebUI reads them."""

import re
from typing import NamedTuple

TAG = re.compile(r"<(\w+):([^>]+)>")


class Tag(NamedTuple):
    kind: str  # "lora", also for the older "lyco"; "hypernet"
    name: str
    te: float  # the weight in the text encoder
    unet: float


def split_prompt(prompt: str) -> tuple[str, list[Tag]]:
    """The prompt without its tags, and the tags.

    <lora:name>, <lora:name:0.8>, <lora:name:0.5:0.8>, <lora:name:te=0.5:unet=0.8>.
    """
    return TAG.sub("", prompt), [tag for _, tag in find_tags(prompt)]


def find_tags(prompt: str) -> list[tuple[str, Tag]]:
    """Each tag of the prompt, as it is typed and as it is understood."""
    return [(match[0], parse_tag(match[1], match[2])) for match in TAG.finditer(prompt)]


def parse_tag(kind: str, inside: str) -> Tag:
    name, *arguments = inside.split(":")
    named = dict(a.split("=", 1) for a in arguments if "=" in a)
    plain = [a for a in arguments if "=" not in a]
    te = parse_weight(named.get("te") or (plain[0] if plain else ""), 1.0)
    unet = parse_weight(named.get("unet") or (plain[1] if len(plain) > 1 else ""), te)
    return Tag("lora" if kind == "lyco" else kind, name, te, unet)


def parse_weight(text: str, default: float) -> float:
    try:
        return float(text)
    except ValueError:
        return default
