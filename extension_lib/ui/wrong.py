"""What can be wrong with what a person asks for: errors whose message the page shows."""

from ..compare.kept import NoGrid
from ..data.folder import FolderError
from ..data.pictures import PictureError
from ..disk import NameProblem
from ..host import HostError
from ..settings import SettingError
from ..training.job import Busy
from ..workspace import WorkspaceError

Wrong = (SettingError, NameProblem, HostError, FolderError, PictureError, WorkspaceError, NoGrid, Busy, OSError)
