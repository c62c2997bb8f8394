"""Settings of other trainers as tests write and read them."""

import json

from extension_lib import imports
from extension_lib.config import presets


def read(folder, name, content):
    """The import and the run it makes; content: TOML as text, JSON as a dict."""
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    imported = imports.read_settings(path)
    method = imported.values.get("method", {"name": "lora"})["name"]
    return imported, presets.defaults(method).with_values(imported.values)


def said(imported, *words):
    """Whether one line names all these words."""
    return any(all(word in line for word in words) for line in imported.dropped)
