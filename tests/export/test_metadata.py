"""What a saved file and its card say of the family, as the WebUI and kohya's scripts read it."""

import json

import pytest
from helpers import about, small_run

from extension_lib.export import card
from extension_lib.export.metadata import adapter_metadata, modelspec
from extension_lib.families import FAMILIES

pytestmark = pytest.mark.once
STABILITY = "https://github.com/Stability-AI/generative-models"
FAMILY = {family.name: family for family in FAMILIES}
SAID = [  # family, what is predicted; the card's version, ss_base_model_version, ss_v2, architecture, prediction, names
    ("sd1", "eps", "SD1", "sd_v1", "False", "stable-diffusion-v1", "epsilon", "diffusers"),
    ("sd1", "v", "SD1", "sd_v1", "False", "stable-diffusion-v1", "v", "diffusers"),
    ("sd2", "eps", "SD2", "sd_v2", "True", "stable-diffusion-v2-512", "epsilon", "diffusers"),
    ("sd2", "v", "SD2", "sd_v2_v", "True", "stable-diffusion-v2-768-v", "v", "diffusers"),
    ("sdxl", "eps", "SDXL", "sdxl_base_v1-0", "False", "stable-diffusion-xl-v1-base", "epsilon", STABILITY),
    ("sdxl", "v", "SDXL", "sdxl_base_v1-0", "False", "stable-diffusion-xl-v1-base", "v", STABILITY)]


@pytest.mark.parametrize("family, predicted, version, base, v2, architecture, prediction, names", SAID)
def test_a_file_and_its_card_say_the_family_and_the_prediction(tmp_path, family, predicted, version, base, v2,
                                                               architecture, prediction, names):
    run = small_run(tmp_path, data={"resolution": FAMILY[family].resolution})
    facts = about(run, family=FAMILY[family], prediction=predicted)
    size = f"{FAMILY[family].resolution}x{FAMILY[family].resolution}"
    said = adapter_metadata(facts)
    assert (said["ss_base_model_version"], said["ss_v2"]) == (base, v2)
    for kind, held, wanted in (("/lora", said, names), ("/textual-inversion", modelspec(facts, "textual-inversion"),
                                                        STABILITY), ("", modelspec(facts), STABILITY)):
        assert [held[f"modelspec.{key}"] for key in ("architecture", "resolution", "prediction_type",
                                                     "implementation")] == [architecture + kind, size, prediction,
                                                                            wanted]
    assert ("ss_clip_skip" in said, "modelspec.encoder_layer" in said) == (family == "sd1",) * 2
    card.write_card(tmp_path / "ghost.safetensors", facts)
    assert json.loads((tmp_path / "ghost.json").read_text(encoding="utf-8"))["sd version"] == version
    assert webui_s_version(said) == version


def webui_s_version(metadata):
    """As the WebUI's card takes it from a header where no card says it."""
    if metadata["ss_base_model_version"].startswith("sdxl_"):
        return "SDXL"
    return "SD2" if metadata["ss_v2"] == "True" else "SD1"
