"""Methods trained by clicking in the WebUI, and the prompts that call up what they learned."""

import io

import numpy as np
from browser import begin, choose_method, choose_tab, create, fill, show_pictures, unfold, wait_for_end
from PIL import Image

from extension_lib import methods
from toyland.subjects import SUBJECTS

GHOST = SUBJECTS["ghost"]
PLACES = ("on the beach", "at night", "in the snow", "in the city", "on a snowy day", "under the night sky", "at the "
          "beach",
          "on a city street")
# How what was learned is called up; the rest is a tag.
WORDED = {"textual_inversion": "a {name} ghost {place}", "pivotal": "a {name} ghost {place} <lora:{name}:1>",
          "hypernetwork": "a zwx ghost {place} <hypernet:{name}:1>", "dreambooth": "a zwx ghost {place}"}
TAGGED = "a zwx ghost {place} <lora:{name}:1>"


def prompts_for(method, name, places=PLACES):
    return [WORDED.get(method, TAGGED).format(name=name, place=place) for place in places]


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(float)


def trained_by_clicking(page, name, method, steps, switch=None, seconds=600):
    """switch: the id of an advanced setting to be switched on."""
    create(page, name)
    choose_tab(page, "Concepts")
    learns_word = methods.all_methods()[method].product.learns_words
    fill(page, "darkroom_concepts_instance_prompt", "a [name] ghost" if learns_word else "[filewords]")
    fill(page, "darkroom_concepts_class_prompt", "a ghost")
    show_pictures(page, GHOST.folder)
    choose_tab(page, "Train")
    choose_method(page, methods.all_methods()[method].title)
    page.wait_for_timeout(1500)
    if switch:
        unfold(page, "Advanced")
        page.locator(f"#{switch} input").check()
        page.wait_for_timeout(1500)
    begin(page, training_steps=steps)
    return wait_for_end(page, seconds)
