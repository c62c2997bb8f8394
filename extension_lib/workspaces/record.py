"""The record of a run in its workspace: a log of events, a table of numbers, previews, and TensorBoard's file."""

import csv
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config.run import Run
from ..events import Alarmed, Autosaved, Began, Ended, Event, Measured, Paused, Saved, Stepped, Warned
from ..support.disk import replacing
from .workspace import Log

if TYPE_CHECKING:
    from PIL.Image import Image

COLUMNS = ("step", "seconds", "loss", "class_loss", "rate", "skipped", "fixed_loss", "held_out", "norm")
Values = dict[str, Any]

logger = logging.getLogger("darkroom")


def step_values(event: Stepped) -> Values:
    """Without what few runs have."""
    usual = {"class_loss": None, "skipped_weights": 0}
    return {name: value for name, value in asdict(event).items() if name not in usual or value != usual[name]}


# By kind of event: its name in the log, and what the line says.
LOG_LINES: dict[type, tuple[str, Callable[[Any], Values]]] = {
    Began: ("began", lambda e: {"start": e.start, "steps": e.steps}),
    Stepped: ("step", step_values),
    Measured: ("measured", asdict),
    Autosaved: ("kept", asdict),
    Saved: ("saved", lambda e: {"step": e.step, "path": str(e.path)}),
    Warned: ("warning", asdict),
    Alarmed: ("alarm", asdict),
    Paused: ("paused", asdict),
    Ended: ("ended", asdict),
}
# By kind of event: the table's cells.
TABLE_ROWS: dict[type, Callable[[Any], Values]] = {
    Stepped: lambda e: {"step": e.step, "loss": e.loss, "class_loss": e.class_loss, "rate": e.rate,
                        "skipped": int(e.skipped)},
    Measured: lambda e: {"step": e.step, "fixed_loss": e.loss, "held_out": int(e.held_out), "norm": e.norm},
}
CURVES = ("loss", "class_loss", "rate", "fixed_loss", "norm")  # of these TensorBoard draws one


@dataclass
class Record:
    """Writes events as they come. board: TensorBoard's writer, where there is one."""

    log: Log
    board: Any = None
    started: float = 0.0
    broken: set[str] = field(default_factory=set)  # not written any more: the last line may be incomplete

    def write(self, event: Event) -> None:
        """When a part cannot be written, as on a full disk, the rest of that part is lost, and the run goes on."""
        for name, writing in (("events", self.line), ("numbers", self.row)):
            try:
                if name not in self.broken:
                    writing(event)
            except OSError as error:
                self.broken.add(name)
                logger.warning("The rest of the run's %s are not recorded in %s: %s", name, self.log.folder, error)

    def line(self, event: Event) -> None:
        if type(event) in LOG_LINES:
            name, said = LOG_LINES[type(event)]
            self.log.write_line(name, **said(event))

    def row(self, event: Event) -> None:
        if type(event) not in TABLE_ROWS:
            return
        values = {name: value for name, value in TABLE_ROWS[type(event)](event).items() if value is not None}
        path = self.log.table_path
        fresh = not path.exists()
        with open(path, "a", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, COLUMNS)
            if fresh:
                table.writeheader()
            table.writerow({**values, "seconds": round(time.time() - self.started, 2)})
        for name in CURVES if self.board else ():
            if name in values:
                self.board.add_scalar(name, values[name], values["step"])


def write_previews(log: Log, step: int, images: Sequence["Image"]) -> tuple[Path, ...]:
    """The paths of a step's pictures, which are then in the run's folder. Raises SaveError."""
    paths = tuple(log.preview_path(step, number) for number in range(len(images)))
    for path, image in zip(paths, images):
        with replacing(path) as part:
            image.save(part, "PNG")
    return paths


@contextmanager
def recording(log: Log, run: Run) -> Iterator[Record]:
    log.save_run(run)
    record = Record(log, tensorboard_writer(log), time.time())
    try:
        yield record
    finally:
        if record.board:
            record.board.close()


def tensorboard_writer(log: Log) -> Any:
    """Writes into the run's folder, for `tensorboard --logdir`; None when TensorBoard is missing or broken."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except (ImportError, AttributeError, TypeError):  # the last two: it does not fit numpy or protobuf
        return None
    return SummaryWriter(str(log.folder))
