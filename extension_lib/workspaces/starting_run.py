"""The settings that the runs of a workspace start from, before anyone changes them."""

from ..config.presets import suitable
from ..config.run import Run
from ..host import Host
from .workspace import Workspace


def starting_run(space: Workspace, host: Host, method: str = "") -> Run:
    """The run that this workspace began with, or would begin with for another method. Raises SettingError."""
    run = space.read_run()
    return suitable(host, method or run.method.name, run.base, space.purpose)
