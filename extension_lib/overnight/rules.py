"""When the queue may train: at which hours, after how much quiet, and what happens after a restart."""

import time
from dataclasses import asdict, dataclass

from ..settings import SettingError, build, option
from .queue import Queue

ASK, GO_ON, WAIT = "ask", "go on", "wait"
MINUTES = 24 * 60  # of a day


@dataclass(frozen=True)
class Rules:
    """What the owner allows."""

    after_restart: str = option(ASK, "What happens to a run that the end of the program interrupted, when the program "
                                "runs again: the page asks, it goes on by itself, or it waits until you continue it, "
                                "while the others go on.", choices=(ASK, GO_ON, WAIT))
    begin: str = option("", "Train only from this time of day, such as 22:00. Empty: at any time.",
                        label="Train from")
    end: str = option("", "Train only until this time of day, such as 7:00. A run that is not done then is kept, and "
                      "goes on when it is time again.", label="Train until")
    quiet_minutes: float = option(0.0, "Begin a run only after nothing was generated for so many minutes.",
                                  min=0.0, max=1440.0, label="Quiet minutes before a run")
    give_way: bool = option(False, "While a run trains, let a picture that someone asks for be drawn at once. The run "
                            "is paused for it, which takes seconds. Off: the picture waits until the run is done.",
                            label="Let txt2img in between steps")

    def allow(self, now: time.struct_time) -> bool:
        """Whether a run may train at this time of day."""
        begin, end = minute_of(self.begin, "begin"), minute_of(self.end, "end")
        if begin is None or end is None or begin == end:
            return True
        minute = now.tm_hour * 60 + now.tm_min
        return begin <= minute < end if begin < end else minute >= begin or minute < end


def minute_of(text: str, where: str) -> int | None:
    """The minute of the day; None for an empty text. Raises SettingError."""
    if not text:
        return None
    hours, _, minutes = text.partition(":")
    if not (hours.isdecimal() and (minutes or "0").isdecimal()) or int(hours) > 24 or int(minutes or 0) > 59:
        raise SettingError(f"{where} is {text!r}, but must be a time of day, such as 22:00.")
    return (int(hours) * 60 + int(minutes or 0)) % MINUTES


def checked(rules: Rules) -> Rules:
    """The rules. Raises SettingError for a time of day that is none, or that stands alone."""
    if (minute_of(rules.begin, "begin") is None) != (minute_of(rules.end, "end") is None):
        raise SettingError("begin and end belong together. Set both, or leave both empty.")
    return rules


def read_rules(queue: Queue) -> Rules:
    """Raises SettingError, QueueError."""
    return checked(build(Rules, queue.fact("rules") or {}))


def write_rules(queue: Queue, rules: Rules) -> None:
    queue.note(rules=asdict(checked(rules)))
