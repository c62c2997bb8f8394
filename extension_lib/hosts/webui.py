"""Which kind of WebUI this is, told by what it has."""

from importlib.util import find_spec

from ..host import Host

# By what only they have: the title of programs that are told from A1111 and refused, and why.
REFUSED = {
    "modules_forge": ("reForge or Forge Classic", "its model is held in another way, which was not tried."),
    "modules.sd_offload": ("SD.Next", "it has neither the queue nor the loaders of the WebUI."),
}


def api_logins() -> dict[str, str] | None:
    """The passwords by user that the WebUI's API asks for; None where the WebUI has no API."""
    from modules import shared

    options = shared.cmd_opts
    if not (options.api or options.nowebui):
        return None
    given = [*str(options.api_auth or "").split(","), *str(options.gradio_auth or "").split(",")]
    if options.gradio_auth_path:
        with open(options.gradio_auth_path, encoding="utf-8") as file:
            given += [part for line in file for part in line.strip().split(",")]
    pairs = (part.strip().partition(":") for part in given if ":" in part)
    return {user: password for user, _, password in pairs}


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
