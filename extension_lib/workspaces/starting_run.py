"""The settings that the runs of a workspace start from, before anyone changes them."""

from ..config.presets import checkpoint_preset, defaults
from ..config.run import Run
from ..host import Host
from .workspace import Workspace


def starting_run(space: Workspace, host: Host, method: str = "") -> Run:
    """The run that this workspace began with, or would begin with for another method. Raises SettingError."""
    run = space.read_run()
    return defaults(method or run.method.name, checkpoint_preset(host, run.base.checkpoint), space.purpose)
