"""What can be wrong with what a person asks for: errors whose message the page shows."""

from ..compare.saved_grids import NoGrid
from ..data.folder import FolderError
from ..data.pictures import PictureError
from ..host import HostError
from ..runs.job import Busy
from ..settings import SettingError
from ..support.disk import NameProblem
from ..workspaces.workspace import WorkspaceError

Wrong = (SettingError, NameProblem, HostError, FolderError, PictureError, WorkspaceError, NoGrid, Busy, OSError)
