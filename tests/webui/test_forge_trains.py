"""A real Forge: trained by clicking, listed, used from the prompt; its own model is afterwards what it was."""

import pytest
from browser import opened, show_darkroom
from webui import forge as real
from webui.training import trained_by_clicking

METHODS = {  # how the word or the tag calls what was learned
    "lora": "a zwx ghost <lora:{name}:1>", "loha": "a zwx ghost <lora:{name}:1>", "textual_inversion": "a {name} ghost",
    "dreambooth": "a zwx ghost"}
COMPLAINTS = ("unmatched", "mismatch", "Mismatch", "ERROR", "not recognized", "Networks with errors", "Traceback")


@pytest.fixture(scope="module")
def forge(tmp_path_factory):
    data = tmp_path_factory.mktemp("forge 数据")
    real.prepare(data)
    with real.running(data) as made:
        yield made


@pytest.fixture(scope="module")
def page(forge):
    with opened(forge.url) as made:
        show_darkroom(made)
        yield made


@pytest.fixture(scope="module")
def before(forge):
    return forge.txt2img("a zwx ghost", **real.SMALL)


@pytest.mark.parametrize("method", METHODS)
def test_trained_by_clicking_and_used_from_the_prompt(forge, page, before, seen, method):
    name = method.replace("_", "-")
    said = trained_by_clicking(page, name, method, 10)
    assert "All 10 steps are done" in said and "does not load" not in said, said
    if method == "dreambooth":
        forge.load(name)
    changed = forge.txt2img(METHODS[method].format(name=name), **real.SMALL)
    if method == "dreambooth":
        forge.load(real.NAME)
    else:
        assert changed != forge.txt2img(METHODS[method].format(name="none"), **real.SMALL)
    assert changed != before and forge.txt2img("a zwx ghost", **real.SMALL) == before
    console = forge.console()
    assert not [line for line in console.splitlines() if any(word in line for word in COMPLAINTS)]
    now, peak = forge.memory()
    seen({"gib": round(now / 2**30, 2), "peak_gib": round(peak / 2**30, 2)})
