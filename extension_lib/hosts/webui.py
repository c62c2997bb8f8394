"""Which kind of WebUI this is, told by what it has."""

from importlib.util import find_spec

from ..host import Host

# By what only they have: the title of programs that are told from A1111 and refused, and why.
REFUSED = {
    "modules_forge": ("reForge or Forge Classic", "its model is held in another way, which was not tried."),
    "modules.sd_offload": ("SD.Next", "it has neither the queue nor the loaders of the WebUI."),
}


def host() -> Host:
    """Imported late: one kind lacks the other's modules."""
    if has("modules_forge") and has("backend.memory_management"):
        from .forge.host import Forge

        return Forge()
    for module, about in REFUSED.items():
        if has(module):
            from .unsupported import Unsupported

            return Unsupported(*about)
    from .a1111.host import A1111

    return A1111()


def has(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of what it is in
        return False
