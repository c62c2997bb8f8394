"""The arrows of the design: who may import whom."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "extension_lib"
# A folder or file may import those below it, never those above.
ORDER = ["__main__", "scripts", "ui", "hosts", "training", "compare", "export", "imports", "data", "diffusion", "memory",
         "presets", "purposes", "practice", "rearrange", "workspace", "run", "toml", "methods", "installation", "host",
         "events", "model", "family", "keyed", "disk", "settings"]
ONLY_IN = {"modules": {"hosts"}, "backend": {"hosts"}, "diffusers": {"hosts"}, "gradio": {"ui"}, "ldm": {"hosts"}}
FILES = sorted(PACKAGE.rglob("*.py"))


def imports(path):
    """(dotted module, is relative) of every import in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield node.module or ",".join(a.name for a in node.names), node.level
        elif isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names)


def part(path):
    relative = path.relative_to(PACKAGE)
    return relative.parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_follow_the_arrows(path):
    own = part(path)
    for name, level in imports(path):
        top = name.split(".")[0]
        if level == 0:
            assert top != "extension_lib", "inside the package imports are relative"
            assert own in ONLY_IN.get(top, {own}) | {"__main__"}, f"{own} imports {top}"
            continue
        depth = len(path.relative_to(PACKAGE).parts) - level
        if depth == 0:
            for target in name.split(",") if "." not in name else [top]:
                if target in ORDER and own in ORDER and target != own:
                    assert ORDER.index(own) < ORDER.index(target), f"{own} imports {target}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_the_first_line_says_what_the_file_is_about(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_every_file_names_its_encoding_when_it_opens_text():
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(getattr(node, "func", None), "attr", getattr(getattr(node, "func", None), "id", ""))
            if isinstance(node, ast.Call) and name in ("read_text", "write_text") and path.name != "disk.py":
                ours = name == "write_text" and isinstance(node.func, ast.Name)  # disk.write_text, which always writes utf-8
                assert ours or "encoding" in {k.arg for k in node.keywords}, f"{path.name}:{node.lineno}"
