"""Whether a run fits the memory of its device, and what makes it fit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from .. import memory
from ..config.run import Run
from ..data.folder import Item
from ..memory import Remedy, in_gib
from ..methods.base import NewWord
from ..model import Model
from ..training.memory_plan import MemoryPlan, memory_plan

WORTH_SAYING = 2**26  # bytes that a change must save


@dataclass(frozen=True)
class Saving:
    """A change, what it saves beside those before it, and the run with all of them."""

    remedy: Remedy
    saves: int
    run: Run


@dataclass(frozen=True)
class Fit:
    """A run's plan against what is free for it; changes are those that make it fit, the cheapest first."""

    plan: MemoryPlan
    free: int  # bytes on the device, those of the checkpoint among them
    changes: tuple[Saving, ...] = ()

    @property
    def fits(self) -> bool:
        return self.plan.needed <= self.free

    @property
    def warning(self) -> str:
        """A sentence for a run that does not fit."""
        needed, there = in_gib(self.plan.needed), in_gib(self.free)
        said = [f"{change.remedy.text}: saves {in_gib(change.saves)}" for change in self.changes]
        remedy = "; ".join([*said, *([] if self.enough else ["close other programs, or lower the resolution"])])
        return (f"This run may run out of memory: it will take about {needed}, and {there} are free for it. To use "
                f"less: {remedy}.")

    @property
    def enough(self) -> bool:
        """Whether it fits with all changes."""
        return self.plan.needed - sum(change.saves for change in self.changes) <= self.free


def fit_of(run: Run, model: Model, items: Sequence[Item], words: tuple[NewWord, ...], free: int | None = None) -> Fit:
    """free: bytes; None for what is free on the model's device."""
    there = memory.free(model.device) + model.held() if free is None else free
    fit = Fit(memory_plan(run, model, items, words), there)
    return fit if fit.fits else replace(fit, changes=tuple(changes(run, model, items, words, fit)))


def changes(run: Run, model: Model, items: Sequence[Item], words: tuple[NewWord, ...], fit: Fit) -> Iterator[Saving]:
    """The cheapest first, until it fits."""
    before = fit.plan.needed
    for remedy in memory.remedies(run, model.family):
        changed = run.with_values(remedy.values)
        now = memory_plan(changed, model, items, words).needed
        if before - now < WORTH_SAYING:
            continue
        yield Saving(remedy, before - now, changed)
        run, before = changed, now
        if now <= fit.free:
            return
