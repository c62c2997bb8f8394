"""Which kind of WebUI this is."""

from importlib.util import find_spec

from ..host import Host

FORGE = "modules_forge"  # a package of Forge's and of its relatives'


def host() -> Host:
    """Imported late: one kind lacks the other's modules."""
    if find_spec(FORGE):
        from .forge import Forge

        return Forge()
    from .a1111.host import A1111

    return A1111()
