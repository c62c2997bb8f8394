"""docs/webui-run.json and docs/forge-run.json: what a real WebUI and a real Forge were last seen doing, and whether the
code has changed since.
"""

import hashlib
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECORD, FORGE = ROOT / "docs" / "webui-run.json", ROOT / "docs" / "forge-run.json"
WATCHED = ("extension_lib/hosts", "extension_lib/models", "extension_lib/ui", "extension_lib/export",
           "scripts", "javascript", "install.py")


def content_hash() -> str:
    """Over the text of everything that only a real WebUI can prove; the same on every system."""
    digest = hashlib.sha256()
    files = sorted(p for name in WATCHED
                   for p in ([ROOT / name] if (ROOT / name).is_file() else (ROOT / name).rglob("*"))
                   if p.suffix in (".py", ".js", ".json"))
    for path in files:
        digest.update(path.relative_to(ROOT).as_posix().encode())
        digest.update(path.read_text(encoding="utf-8").replace("\r\n", "\n").encode())
    return digest.hexdigest()


def read(path: Path = RECORD) -> dict:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write(webui: dict[str, str], checks: list[dict], path: Path = RECORD) -> None:
    """webui: its version and commit. Checks of an earlier run of the same code stay, unless they were made again."""
    old = read(path)
    kept = {c["name"]: c for c in old.get("checks", [])} if old.get("content") == content_hash() else {}
    kept.update({c["name"]: c for c in checks})
    path.parent.mkdir(exist_ok=True)
    record = {"webui": webui, "content": content_hash(), "checks": list(kept.values())}
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")


def verdict(path: Path = RECORD, what: str = "WebUI", variable: str = "WEBUI_DIR") -> str:
    record = read(path)
    if not record:
        return f"No real {what} has been seen yet: run pytest tests/webui with {variable} set."
    if record["content"] != content_hash():
        return (f"docs/{path.name} is stale: hosts, ui, export, scripts or install.py have changed since a real "
                f"{what} was last seen. Run pytest tests/webui with {variable} set.")
    return f"docs/{path.name} is up to date: {len(record['checks'])} checks in {what} {record['webui']['version']}."


if __name__ == "__main__":
    print(verdict())
    print(verdict(FORGE, "Forge", "FORGE_DIR"))
    sys.exit(0)
