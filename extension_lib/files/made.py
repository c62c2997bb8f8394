"""What the header of a file says that a tool made."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..export.header import METHOD
from ..families.family import Family
from .arithmetic import ALPHA
from .source import AdapterFile

MADE = "darkroom_made_by"  # our key: which tool made a file of which others, as JSON
HASHES = ("sshs_model_hash", "sshs_legacy_hash", "modelspec.hash_sha256")
OF_KIND = (METHOD, "ss_network_module", "ss_network_dim", "ss_network_alpha", "ss_network_args",
           "lora_adapter_metadata")
PLAIN, LYCORIS = "networks.lora", "lycoris.kohya"


def made_header(path: Path, family: Family, sources: Sequence[AdapterFile], tool: str,
                kind: Mapping[str, str] | None = None, **how: Any) -> dict[str, str]:
    """Of a file that a tool makes: what the first source says, without what is no longer so.

    kind: what it says of its kind; None: the same as the first source.
    """
    said = {} if not sources else sources[0].header
    said = said if kind is None else {**without(said, OF_KIND), **kind}
    base = family_header(family) if not said.get("ss_base_model_version") else {}
    files = {"merged_from": ", ".join(source.path.stem for source in sources)} if len(sources) > 1 else {}
    how = {"tool": tool, "files": [source.path.name for source in sources],
           **{name: value for name, value in how.items() if value}}
    return {**without(said, HASHES), **base, **named(path), **{f"modelspec.{k}": v for k, v in files.items()},
            MADE: json.dumps(how, ensure_ascii=False)}


def named(path: Path) -> dict[str, str]:
    """By its name a file is called in prompts, and listed."""
    return {"ss_output_name": path.stem, "modelspec.title": path.stem}


def family_header(family: Family) -> dict[str, str]:
    version = family.base_versions["eps"]
    return {"ss_base_model_version": version, "ss_v2": str(version.startswith("sd_v2")),
            "modelspec.architecture": f"{family.architectures['eps']}/lora", "modelspec.sai_model_spec": "1.0.1"}


def kind_header(ranks: Sequence[int], products: bool) -> dict[str, str]:
    """What kohya's scripts say of a kind. products: whether all layers are a LoRA's."""
    same = len(set(ranks)) == 1
    size = {"ss_network_dim": str(ranks[0]) if same else "Dynamic",
            "ss_network_alpha": str(ALPHA)} if ranks else {}
    if products:
        return {"ss_network_module": PLAIN, **size}
    return {"ss_network_module": LYCORIS, "ss_network_args": json.dumps({"algo": "full"}), **size}


def without(said: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    return {key: value for key, value in said.items() if key not in names}
