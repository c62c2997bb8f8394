"""As much of a host as a page asks for, without a model; it describes pictures by their size."""

from extension_lib.host import Checkpoint, Folders
from extension_lib.models.detect import kind_of


class Shown:
    name = "shown"
    unsupported = ""

    def __init__(self, root):
        self.folders = Folders(*(root / name
                                 for name in ("loras", "embeddings", "hypernetworks", "checkpoints", "workspaces")))

    def checkpoints(self):
        return [Checkpoint("toyland", self.folders.checkpoints / "toyland.safetensors")]

    def current(self):
        return self.checkpoints()[0]

    def kind(self, checkpoint):
        return kind_of(checkpoint)

    def advice(self, checkpoint):
        return []

    def missing_description(self, checkpoint):
        return None

    def unusable(self, method):
        return ""

    def tokens(self):
        return None

    def captioners(self):
        return "DeepBooru", "CLIP"

    def caption(self, how, images):
        return (f"{how} sees {image.width} pixels" for image in images)
