"""The start of a run: settings are saved, questions are asked, the run begins; for the page and the command line."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..config.presets import checkpoint_of
from ..config.run import Run, require_startable
from ..errors import DarkroomError
from ..host import Host, HostError
from ..settings import SettingError
from ..setup.optimizer_packages import require_installed
from ..workspaces.saved_files import saved_files
from ..workspaces.trained_family import require_same_family
from ..workspaces.workspace import Workspace, WorkspaceError, create_workspace, open_workspace
from . import job as jobs
from .naming import foreign_files, free_name, with_name

if TYPE_CHECKING:
    from ..training.ranks import Ranks

# What to do with an earlier training of the workspace, and with a file of the run's name.
CONTINUE_OVERWRITE, CONTINUE_VERSION = "continue-overwrite", "continue-version"
RESTART_VERSION, RESTART_OVERWRITE = "restart-version", "restart-overwrite"
ANSWERS = (CONTINUE_OVERWRITE, CONTINUE_VERSION, RESTART_VERSION, RESTART_OVERWRITE)


@dataclass(frozen=True)
class Choice:
    """An answer that a person can give. id: one of ANSWERS; text: what it means, for people."""

    id: str
    text: str


class Undecided(DarkroomError):
    """The run needs an answer before it can start."""

    def __init__(self, name: str, choices: list[Choice]):
        self.choices = choices
        super().__init__(f"{name} was trained before, or a file of this name exists. Choose what to do.")


@dataclass(frozen=True)
class Decision:
    """The run with its final name. restart: whether it leaves aside what was trained before."""

    run: Run
    restart: bool


def start_run(run: Run, host: Host, workspace: Workspace, answer: str = "", ranks: "Ranks | None" = None) -> jobs.Job:
    """Saves the run's settings in the workspace and starts it. answer: one of ANSWERS, or "" before anyone was asked.

    Raises Undecided with the choices when an answer is needed, Busy while another run goes on, and HostError,
    SettingError or WorkspaceError when the run cannot start.
    """
    require_usable(run, host)
    workspace.save_run(run)
    return begin_run(run, host, workspace, answer, ranks)


def begin_run(run: Run, host: Host, workspace: Workspace, answer: str = "", ranks: "Ranks | None" = None) -> jobs.Job:
    """Starts a run, and leaves the settings that the workspace shows as they are. Raises as start_run does."""
    require_usable(run, host)
    checkpoint = checkpoint_of(run.base, host)
    jobs.require_idle()
    decision = decide(run, host, workspace, answer)
    if not decision.restart:
        require_same_family(workspace, host.kind(checkpoint), checkpoint.title)
    return jobs.start_job(decision.run, host, workspace, checkpoint, decision.restart, ranks)


def require_usable(run: Run, host: Host) -> None:
    """Raises HostError, saying why, where nothing can be trained, or the host could not use what the method leaves."""
    require_training(host)
    if unusable := host.unusable(run.method):
        raise HostError(unusable)


def require_training(host: Host) -> None:
    """Raises HostError, saying why, for a host in which nothing can be trained."""
    if host.unsupported:
        raise HostError(host.unsupported)


def workspace_for(run: Run, host: Host) -> Workspace:
    """The workspace of the run's name, created where there is none. Raises NameProblem, WorkspaceError."""
    try:
        return open_workspace(host.folders.workspaces, run.output.name)
    except WorkspaceError:
        return create_workspace(host.folders.workspaces, run.output.name, run)


def answer_to_continue(run: Run, host: Host, workspace: Workspace) -> str:
    """How to continue without a question: "" where that would overwrite a file of another program or workspace."""
    return CONTINUE_OVERWRITE if not foreign_files(run, host.folders, saved_files(workspace)) else ""


def decide(run: Run, host: Host, workspace: Workspace, answer: str = "") -> Decision:
    """How the run starts by this answer. Raises Undecided, SettingError, WorkspaceError."""
    run = require_startable(run)
    require_installed(run.training.optimizer_kind)
    _ = workspace.about  # must be readable, for every save writes into this file
    if answer and answer not in ANSWERS:
        raise SettingError(f"{answer!r} is not a way to start. Use one of {', '.join(ANSWERS)}.")
    if not answer and (open_choices := choices(run, host, workspace)):
        raise Undecided(run.output.name, open_choices)
    new_name = answer in (CONTINUE_VERSION, RESTART_VERSION)
    name = free_name(run, host.folders, saved_files(workspace)) if new_name else run.output.name
    return Decision(with_name(run, name), answer in (RESTART_VERSION, RESTART_OVERWRITE))


def choices(run: Run, host: Host, workspace: Workspace) -> list[Choice]:
    """The answers that a person can give, the safest first; none when there is nothing to ask."""
    name, fresh = run.output.name, free_name(run, host.folders, saved_files(workspace))
    if newest := workspace.newest_state():
        return choices_after_training(name, fresh, newest.lifetime)
    if workspace.state.exists():  # it cannot be read
        return [Choice(RESTART_VERSION if fresh != name else RESTART_OVERWRITE,
                       f"Start over and save as {fresh}, because the saved state cannot be read")]
    if fresh != name:
        return [Choice(RESTART_VERSION, f"Save as {fresh} and leave {name} as it is"),
                Choice(RESTART_OVERWRITE, f"Overwrite {name}")]
    return []


def choices_after_training(name: str, fresh: str, steps: int) -> list[Choice]:
    """fresh: a name without a file; the same as name where that has none."""
    if fresh == name:
        return [Choice(CONTINUE_OVERWRITE, f"Continue after step {steps} and save as {name}"),
                Choice(RESTART_OVERWRITE, f"Start over and save as {name}")]
    return [Choice(CONTINUE_OVERWRITE, f"Continue after step {steps} and overwrite {name}"),
            Choice(CONTINUE_VERSION, f"Continue after step {steps} and save as {fresh}"),
            Choice(RESTART_VERSION, f"Start over and save as {fresh}"),
            Choice(RESTART_OVERWRITE, f"Start over and overwrite {name}")]
