"""What the header of an adapter's file says about who made it, read without its tensors."""

import json
from pathlib import Path
from typing import Any

from .. import methods
from ..methods.adapter import AdapterSettings

# our own keys: the name of the method; the words that were learned with the adapter, as JSON
METHOD, WORDS = "darkroom_method", "darkroom_words"
PLAIN = {"lora": "locon", "locon": "locon"}  # LyCORIS' names of what kohya's scripts have too
LONGEST = 100_000_000  # bytes of a header; safetensors itself refuses longer ones


def read_header(path: Path) -> dict[str, str]:
    """The header of a safetensors file, without its tensors; empty when there is none or it cannot be read."""
    try:
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = file.read(length).decode("utf-8") if length < LONGEST else ""
    except (OSError, ValueError):
        return {}
    return dict(loads_as(header, dict).get("__metadata__") or {})


def method_in_header(header: dict[str, str]) -> str:
    """The name of the method that made a file: ours by our own key, others' by kohya's; "" when it does not say."""
    if METHOD in header:
        return header[METHOD]
    arguments = loads_as(header.get("ss_network_args"), dict)
    algorithm = str(arguments.get("algo") or "").lower()
    if algorithm:
        return {**PLAIN, **methods_by_algorithm()}.get(algorithm, algorithm)
    if "networks.lora" in header.get("ss_network_module", ""):
        return "locon" if arguments.get("conv_dim") else "lora"
    return ""


def methods_by_algorithm() -> dict[str, str]:
    """Methods by LyCORIS' name for them."""
    return {cls.algorithm: name for name, cls in methods.all_methods().items()
            if issubclass(cls, AdapterSettings) and cls.algorithm}


def words_in_header(header: dict[str, str]) -> tuple[str, ...]:
    """The words that were learned with an adapter."""
    return tuple(str(word) for word in loads_as(header.get(WORDS), list))


def loads_as(text: str | None, kind: type) -> Any:
    """The JSON in a header's value, if it is of this kind; else an empty one."""
    try:
        value = json.loads(text or "null")
    except ValueError:
        return kind()
    return value if isinstance(value, kind) else kind()
