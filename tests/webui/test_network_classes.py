"""What the WebUI's own network classes make of one small file of every kind of adapter."""

import json
from urllib.parse import quote

from adapters import FOLDER, WAYS, file_of


def test_every_layer_of_every_kind_is_matched_and_its_delta_written_down(webui, seen):
    found = {file_of(way).stem: webui.get(f"/darkroom-test/norms?path={quote(str(file_of(way)))}") for way in WAYS}
    assert all(norms and all(norm > 0 for norm in norms.values()) for norms in found.values())
    text = json.dumps({name: {key: round(norm, 7)
                              for key, norm in norms.items()}
                       for name, norms in found.items()}, indent=1)
    (FOLDER / "webui.json").write_text(text + "\n", encoding="utf-8", newline="\n")
    seen({"files": len(found), "layers": sum(map(len, found.values()))})
