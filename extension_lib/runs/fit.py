"""Whether a run fits the memory of its device, and what makes it fit."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from .. import memory
from ..config.presets import checkpoint_of
from ..config.run import Run, new_words_of, require_startable
from ..data.folder import Item, find_all_pictures
from ..host import Host
from ..memory import Remedy, amount
from ..methods.base import NewWord
from ..model import Model
from ..training.memory_plan import MemoryPlan, memory_plan

WORTH_SAYING = 2**26  # bytes that a change must save


@dataclass(frozen=True)
class Saving:
    """A change, and what it saves beside those before it."""

    remedy: Remedy
    saves: int


@dataclass(frozen=True)
class Fit:
    """A run's plan against what is free for it; changes are those that make it fit, the cheapest first."""

    plan: MemoryPlan
    free: int  # bytes on the device, those of the checkpoint among them
    on_card: bool
    changes: tuple[Saving, ...] = ()

    @property
    def fits(self) -> bool:
        return self.plan.needed <= self.free

    @property
    def with_changes(self) -> int:
        """What it needs with all of them."""
        return self.plan.needed - sum(change.saves for change in self.changes)

    @property
    def verdict(self) -> str:
        where = "of the graphics card's memory" if self.on_card else "of memory"
        said = f"This run takes {amount(self.plan.needed)} {where}, and {amount(self.free)} are free."
        if self.fits and self.plan.total > self.free:
            return f"{said} Drawing a preview takes {amount(self.plan.preview)} more, so previews may fail."
        return said

    @property
    def warning(self) -> str:
        """A sentence for a run that does not fit."""
        said = [f"{change.remedy.text}: saves {amount(change.saves)}" for change in self.changes]
        rest = [] if self.with_changes <= self.free else ["close other programs, or lower the resolution"]
        return f"{self.verdict} To use less: {'; '.join([*said, *rest])}."

    def applied(self, run: Run) -> Run:
        """The run with all changes."""
        for change in self.changes:
            run = run.with_values(change.remedy.values)
        return run


def fit_of(run: Run, model: Model, items: Sequence[Item], words: tuple[NewWord, ...], free: int | None = None) -> Fit:
    """free: bytes; None for what is free on the model's device."""
    there = memory.free(model.device) + model.held() if free is None else free
    return fit_in(there, run, model, lambda run: memory_plan(run, model, items, words))


def fit_in(free: int, run: Run, model: Model, planned: Callable[[Run], MemoryPlan]) -> Fit:
    """planned: how runs on that model are planned."""
    fit = Fit(planned(run), free, model.device.type != "cpu")
    return fit if fit.fits else replace(fit, changes=needed(list(changes(run, model, planned, fit)), fit))


def changes(run: Run, model: Model, planned: Callable[[Run], MemoryPlan], fit: Fit) -> Iterator[Saving]:
    """The cheapest first, until it fits."""
    before, tried = fit.plan.needed, set[str]()
    while before > fit.free and (left := [remedy for remedy in memory.remedies(run, model.family, model)
                                          if remedy.text not in tried]):
        remedy = min(left, key=lambda remedy: remedy.price)
        tried.add(remedy.text)
        changed = run.with_values(remedy.values)
        now = planned(changed).needed
        if before - now >= WORTH_SAYING:
            yield Saving(remedy, before - now)
            run, before = changed, now


def needed(found: list[Saving], fit: Fit) -> tuple[Saving, ...]:
    """Without those that the others make superfluous, the dearest first."""
    spare = fit.free - fit.plan.needed + sum(change.saves for change in found)
    for change in reversed(found[:-1]):
        if change.saves <= spare:
            found, spare = [other for other in found if other is not change], spare - change.saves
    return tuple(found)


def fit_on(host: Host, run: Run) -> Fit:
    """Of a run that is not started. Raises DarkroomError."""
    run = require_startable(run)
    items = [item for found in find_all_pictures(run) for item in found.items]
    words = new_words_of(run) if run.method.product.learns_words else ()
    with host.borrow(checkpoint_of(run.base, host)) as model:
        return fit_of(run, model, items, words)
