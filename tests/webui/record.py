"""docs/webui-run.json: what a real WebUI was last seen doing, and whether the code has changed since."""

import hashlib
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT / "docs" / "webui-run.json"
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


def read() -> dict:
    return json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}


def write(webui: dict[str, str], checks: list[dict]) -> None:
    """webui: its version and commit. Checks of an earlier run of the same code stay, unless they were made again."""
    old = read()
    kept = {c["name"]: c for c in old.get("checks", [])} if old.get("content") == content_hash() else {}
    kept.update({c["name"]: c for c in checks})
    RECORD.parent.mkdir(exist_ok=True)
    record = {"webui": webui, "content": content_hash(), "checks": list(kept.values())}
    RECORD.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")


def verdict() -> str:
    record = read()
    if not record:
        return "No real WebUI has been seen yet: run pytest tests/webui with WEBUI_DIR set."
    if record["content"] != content_hash():
        return ("docs/webui-run.json is stale: hosts, ui, export, scripts or install.py have changed since a real "
                "WebUI was last seen. Run pytest tests/webui with WEBUI_DIR set.")
    return f"docs/webui-run.json is up to date: {len(record['checks'])} checks in WebUI {record['webui']['version']}."


if __name__ == "__main__":
    print(verdict())
    sys.exit(0)
