"""What a run learns from, as its saved state remembers it; and what of that has changed when it continues."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config.run import Run, from_dict, to_dict
from ..data.folder import Item
from ..host import Checkpoint
from ..support.digests import digest_of_file
from ..support.disk import path_from_text

SECTIONS = ("base", "concepts", "method", "data", "noise", "prior", "training")  # that change what is learned
NAMED = 5  # settings and pictures named at most


@dataclass(frozen=True)
class Inputs:
    """settings: by "section.name"; checkpoint: its sha256; pictures, captions: a hash by the picture's name."""

    settings: Mapping[str, Any]
    checkpoint: str
    pictures: Mapping[str, str]
    captions: Mapping[str, str]

    def as_tree(self) -> dict[str, str]:
        """For a state: JSON texts."""
        return {"settings": json.dumps(self.settings), "checkpoint": self.checkpoint,
                "pictures": json.dumps(self.pictures), "captions": json.dumps(self.captions)}


def inputs_of(run: Run, checkpoint: Checkpoint, items: Iterable[Item]) -> Inputs:
    roots = [path_from_text(concept.folder) for concept in run.concepts]
    named = [(name_in(item.path, roots), item) for item in items]
    return Inputs(flat_settings(run), checkpoint.sha256, {name: digest(item.path) for name, item in named},
                  {name: digest_of_text("\n".join(item.prompts)) for name, item in named})


def flat_settings(run: Run) -> dict[str, Any]:
    """By "section.name", as JSON gives them back."""
    values = to_dict(run)
    flat = {f"{section}.{name}": value for section in SECTIONS if section != "concepts"
            for name, value in values[section].items()}
    flat |= {f"concepts.{number}.{name}": value for number, concept in enumerate(values["concepts"], 1)
             for name, value in concept.items()}
    return dict(json.loads(json.dumps(flat)))


def name_in(path: Path, roots: list[Path]) -> str:
    """The path below its concept's folder, so that a moved folder counts as the same."""
    root = next((root for root in roots if path.is_relative_to(root)), path.parent)
    return path.relative_to(root).as_posix()


def digest(path: Path) -> str:
    """Of the file's bytes; "" for one that cannot be read now."""
    try:
        return digest_of_file(path)
    except OSError:
        return ""


def digest_of_text(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def changed_since(saved: Mapping[str, Any], now: Inputs) -> tuple[str, ...]:
    """A sentence for each kind of change since this state was saved; none for states of older versions."""
    if "settings" not in saved:
        return ()
    lines = [changed_settings(json.loads(saved["settings"]), now.settings),
             changed_checkpoint(saved["checkpoint"], now.checkpoint),
             changed_files("pictures", json.loads(saved["pictures"]), now.pictures),
             changed_files("captions", json.loads(saved["captions"]), now.captions)]
    return tuple(f"Since step {saved['lifetime']} was saved, {line}." for line in lines if line)


def changed_settings(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    moved = ("folder", "class_folder", "checkpoint")  # what these name is compared itself
    changed = [f"{name} ({old!r} to {new!r})" for name, usual in sorted(starting_settings(before, now).items())
               if (old := before.get(name, usual)) != (new := now.get(name, usual))
               and name.rpartition(".")[2] not in moved]
    return f"these settings have changed: {some_of(changed)}" if changed else ""


def starting_settings(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """What a setting is that an older version, or a run with fewer concepts, lacked. One that only the version that
    saved knows is not in here.
    """
    concepts = len({name.split(".")[1] for name in {*before, *now} if name.startswith("concepts.")})
    return flat_settings(from_dict({"method": {"name": now["method.name"]}, "concepts": [{}] * concepts}))


def changed_checkpoint(before: str, now: str) -> str:
    known = before and now and before != now
    return f"the checkpoint has changed (its hash was {before[:10]} and is {now[:10]})" if known else ""


def changed_files(what: str, before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Pictures that came or went count once, as pictures."""
    both = before.keys() & now.keys()
    changed = sorted(name for name in both if before[name] != now[name])
    came, went = (sorted(one.keys() - other.keys()) if what == "pictures" else []
                  for one, other in ((now, before), (before, now)))
    parts = [f"{verb} {some_of(names)}" for verb, names in (("changed:", changed), ("new:", came), ("missing:", went))
             if names]
    return f"these {what} differ: {'; '.join(parts)}" if parts else ""


def some_of(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
