"""Before a run begins: what has to be asked when its workspace or its name was used before."""

from dataclasses import dataclass, replace

from ..config.run import Output, Run, require_startable
from ..errors import DarkroomError
from ..host import Host
from ..workspaces.workspace import Workspace
from .naming import free_name, name_taken


@dataclass(frozen=True)
class Choice:
    """One answer: the values of output.again and output.existing, and what it means in words."""

    again: str
    existing: str
    text: str


class Undecided(DarkroomError):
    """The run needs an answer first."""

    def __init__(self, choices: list[Choice]):
        self.choices = choices
        super().__init__("This was trained before or the name is taken. Choose: "
                         + "; ".join(f"{c.text} (again={c.again}, existing={c.existing})" for c in choices))


def choices(run: Run, host: Host, workspace: Workspace) -> list[Choice]:
    """The answers a person can give, the safest first; none when there is nothing to ask."""
    name, fresh, trained = run.output.name, free_name(run, host.folders), workspace.state.exists()
    out = []
    if trained:
        on = workspace.lifetime
        out.append(Choice("continue", "overwrite", f"Continue after step {on} and replace {name} by what comes out"))
        if fresh != name:
            out.append(Choice("continue", "version", f"Continue after step {on} and write {fresh}"))
        else:
            out.append(Choice("over", "overwrite", f"Start over and write {name}"))
    if fresh != name:
        again = "over" if trained else run.output.again
        beside = f"Start over and write {fresh} beside {name}" if trained else f"Write {fresh} beside {name}"
        anew = f"Start over and write {name} anew" if trained else f"Write {name} anew"
        out += [Choice(again, "version", beside), Choice(again, "overwrite", anew)]
    return out


def decided(run: Run, host: Host, workspace: Workspace) -> Run:
    """The run with its final name; output.again says whether it begins anew. Raises SettingError, WorkspaceError or Undecided."""
    run = require_startable(run)
    _ = workspace.lifetime  # whose file must be readable, for every save writes into it
    wanted = run.output
    if asked := choices(run, host, workspace):
        again_open = workspace.state.exists() and wanted.again == "ask"
        existing_open = name_taken(run, host.folders) and wanted.existing == "ask"
        if again_open or existing_open:
            raise Undecided(asked)
    if wanted.existing == "version":
        wanted = replace(wanted, name=free_name(run, host.folders))
    return replace(run, output=Output(name=wanted.name, again=wanted.again))
