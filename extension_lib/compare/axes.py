"""Axes for the WebUI's X/Y/Z plot: which LoRA, at which training step, at which weight; each rewrites the prompt's tag."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

TAG = re.compile(r"\s*<lora:([^:>]+)(?::([^>]*))?>")
COPY = re.compile(r"(.+)-(\d{6})$")
LAST = "last"  # the file without a step: what the run ended with


class NoFile(RuntimeError):
    """There is no LoRA whose weight or step could be changed."""


@dataclass(frozen=True)
class Pick:
    """One LoRA as a tag names it. step: a number as written in the file's name, or LAST."""

    name: str = ""
    step: str = LAST
    weight: float = 1.0

    @property
    def tag(self) -> str:
        """Empty at weight 0: the bare checkpoint."""
        stem = self.name if self.step == LAST else f"{self.name}-{int(self.step):06d}"
        return f"<lora:{stem}:{self.weight:g}>" if self.weight else ""


def picked(prompt: str) -> Pick | None:
    """What the prompt's first tag says, if it has one."""
    match = TAG.search(prompt)
    if not match:
        return None
    copy = COPY.fullmatch(match[1])
    try:
        weight = float((match[2] or "1").split(":")[0])
    except ValueError:
        weight = 1.0
    return Pick(copy[1] if copy else match[1], str(int(copy[2])) if copy else LAST, weight)


def changed(prompt: str, before: Pick | None, newest: str = "", **values: object) -> tuple[str, Pick]:
    """The prompt with its tag changed, and the new pick.

    before: what an axis set earlier; else the prompt's own tag counts, and without one the newest file. Raises NoFile.
    """
    pick = replace(before or picked(prompt) or Pick(newest), **values)  # type: ignore[arg-type]
    if not pick.name:
        raise NoFile("There is no LoRA yet. Train one, or put one into the WebUI's folder.")
    old = before.tag if before else ""
    if old and old in prompt:
        return prompt.replace(old, pick.tag, 1), pick
    without = TAG.sub("", prompt, count=1) if before is None and picked(prompt) else prompt
    return f"{without.rstrip()} {pick.tag}".rstrip(), pick


def names(folder: Path) -> list[str]:
    """LoRA files without their copies by step."""
    stems = {p.stem for p in folder.rglob("*.safetensors")} if folder.exists() else set()
    return sorted(stem for stem in stems if not COPY.fullmatch(stem))


def newest(folder: Path) -> str:
    """The file that was written last; "" when there is none."""
    written = sorted((p.stat().st_mtime, p.stem) for p in folder.rglob("*.safetensors")) if folder.exists() else []
    return next((stem for _, stem in reversed(written) if not COPY.fullmatch(stem)), "")


def steps(folder: Path) -> list[str]:
    """All steps of which there are copies, and LAST."""
    found = (COPY.fullmatch(p.stem) for p in folder.rglob("*.safetensors")) if folder.exists() else ()
    return [*(str(n) for n in sorted({int(match[2]) for match in found if match})), LAST]
