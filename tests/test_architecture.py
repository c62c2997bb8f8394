"""The rooms of the package: which file stands where, and who may import whom."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

pytestmark = pytest.mark.once
PACKAGE = Path(__file__).resolve().parents[1] / "extension_lib"
# From top to bottom: a room may import the rooms below it, never those above it.
ROOMS = [
    "__main__", "commands", "ui", "ui.events", "ui.tabs", "ui.panels", "ui.views", "api", "files", "hosts",
    "hosts.forge",
    "hosts.a1111", "hosts.drawing", "models", "overnight", "runs", "training", "compare", "export", "imports", "data",
    "diffusion", "memory", "workspaces", "setup",
    "config", "methods", "host", "events", "model", "families", "support", "settings", "errors"
]
# Libraries of one place: the rooms that may import them.
ONLY_IN = {
    "modules": ("hosts", ), "backend": ("hosts", ), "ldm": ("models", ), "diffusers": ("hosts", "models"),
    "gradio": ("ui", ), "markupsafe": ("ui", )
}
FILES = sorted(PACKAGE.rglob("*.py"))


def module_name(path, package=PACKAGE):
    """As seen from the package: "hosts.a1111.view"; a folder's __init__.py is the folder."""
    return ".".join(path.relative_to(package).with_suffix("").parts).removesuffix("__init__").removesuffix(".")


def room_of(module):
    """The deepest room that holds the module, "" for one that stands in no room."""
    inside = [room for room in ROOMS if module == room or module.startswith(f"{room}.")]
    return max(inside, key=len, default="")


def imported(path, package=PACKAGE):
    """Dotted names that a file imports, wherever in it; those of the package begin with a dot: ".hosts.a1111.view"."""
    own = path.relative_to(package).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join([*own[:len(own) - node.level + 1], *([node.module] if node.module else [])])
            for alias in node.names:
                whole = f"{base}.{alias.name}".strip(".")
                folder = package / whole.replace(".", "/")
                yield "." + (whole if folder.with_suffix(".py").exists() or folder.is_dir() else base)


def wrong_imports(path, package=PACKAGE):
    """What a file imports that its room may not."""
    room = room_of(module_name(path, package))
    for name in imported(path, package):
        if name.startswith("."):
            other = room_of(name[1:])
            if other != room and name != "." and ROOMS.index(other) <= ROOMS.index(room):
                yield name
        elif name.split(".")[0] == "extension_lib":
            yield name  # inside the package imports are relative
        elif (allowed := ONLY_IN.get(name.split(".")[0])) and room.split(".")[0] not in (*allowed, "__main__"):
            yield name


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_every_file_stands_in_a_room_and_imports_only_from_rooms_below(path):
    module = module_name(path)
    assert not module or room_of(module), f"{path.name} stands in no room"
    assert list(wrong_imports(path)) == []


@pytest.mark.parametrize(("place", "text", "wrong"), [
    ("support/disk.py", "from ..runs import job\n", [".runs"]),
    ("training/loop.py", "from ..hosts.standalone import Standalone\n", [".hosts.standalone"]),
    ("data/pictures.py", "import gradio as gr\n", ["gradio"]),
    ("runs/job.py", "def late():\n    from diffusers import DDIMScheduler\n", ["diffusers"]),
    ("ui/page.py", "import gradio as gr\nfrom ..runs import job\n", []),
])
def test_an_import_that_a_room_may_not_have_is_named(tmp_path, place, text, wrong):
    (tmp_path / "runs").mkdir()
    (tmp_path / "hosts").mkdir()
    (tmp_path / "hosts" / "standalone.py").touch()
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    assert list(wrong_imports(path, tmp_path)) == wrong


def rooms_on_the_map():
    """By room, the files that CONTRIBUTING.md names: a line begins with the room, the lines further right list its
    files.
    """
    text = (PACKAGE.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rooms, room = {}, None
    for line in text[text.index("## The map"):text.index("Arrows point")].splitlines():
        if match := re.match(r" {8}(at the top:|[a-z0-9/]+/ )", line):
            room = match[1].strip(" /").removeprefix("at the top:")
            rooms[room] = set()
        elif line.startswith(" " * 12) and room is not None:
            rooms[room] |= {name for name in line.strip(" ,").split(", ") if name}
        elif not line.startswith(" " * 8):
            room = None
    return rooms


def test_the_map_in_contributing_names_every_file_in_its_room():
    rooms = {}
    for path in FILES:
        if path.stem not in ("__init__", "__main__"):
            rooms.setdefault(path.parent.relative_to(PACKAGE).as_posix().removeprefix("."), set()).add(path.stem)
    assert rooms_on_the_map() == rooms


def circle(imports):
    """A chain of modules each of which imports the next and the last the first; [] where there is none."""
    done = set()

    def search(module, chain):
        if module in chain:
            return [*chain[chain.index(module):], module]
        if module in done:
            return []
        found = next((c for other in sorted(imports.get(module, ())) if (c := search(other, [*chain, module]))), [])
        done.add(module)
        return found

    return next((found for module in sorted(imports) if (found := search(module, []))), [])


def test_no_files_import_each_other_in_a_circle():
    """Not even for type checkers: two files that need each other's types are one thing, or three."""
    assert circle({module_name(path): {name[1:] for name in imported(path) if name[1:] and name[0] == "."}
                   - {module_name(path)} for path in FILES}) == []


def test_a_circle_is_found():
    assert circle({"a": {"b"}, "b": {"c", "d"}, "c": set(), "d": {"a"}}) == ["a", "b", "d", "a"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_the_first_line_says_what_the_file_is_about(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_no_two_test_files_have_one_name():
    """pytest imports them by it."""
    names = Counter(path.name for path in (PACKAGE.parent / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []


def test_nobody_but_the_model_s_words_looks_at_the_tensors_of_a_condition():
    assert [path.name for path in FILES if re.search(r"\.(hidden|pooled)\b", path.read_text(encoding="utf-8"))] == [
        "model.py"]


def test_every_file_names_its_encoding_when_it_opens_text():
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(getattr(node, "func", None), "attr", getattr(getattr(node, "func", None), "id", ""))
            if isinstance(node, ast.Call) and name in ("read_text", "write_text") and path.name != "disk.py":
                # disk.write_text, which always writes utf-8
                ours = name == "write_text" and isinstance(node.func, ast.Name)
                assert ours or "encoding" in {k.arg for k in node.keywords}, f"{path.name}:{node.lineno}"
