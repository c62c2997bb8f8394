"""Pictures by the WebUI's own txt2img, and what it remembers of prompts."""

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from modules import devices, processing, shared

from ...host import HostError, Interrupted, Picture

CACHES = {"StableDiffusionProcessing": ("cached_c", "cached_uc"),
          "StableDiffusionProcessingTxt2Img": ("cached_hr_c", "cached_hr_uc")}


def draw_picture(picture: Picture, overrides: Mapping[str, Any] = {}) -> Any:  # noqa: B006
    """A PIL image by txt2img's own code, with these of the WebUI's settings.

    Raises Interrupted instead of returning an unfinished picture.
    """
    wanted = {"CLIP_stop_at_last_layers": picture.clip_skip, "sd_lora": "None", **overrides}
    p = processing.StableDiffusionProcessingTxt2Img(
        sd_model=shared.sd_model, prompt=picture.prompt, negative_prompt=picture.negative, seed=picture.seed,
        steps=picture.steps, cfg_scale=picture.cfg, width=picture.width, height=picture.height,
        sampler_name=picture.sampler, batch_size=1, n_iter=1, do_not_save_samples=True, do_not_save_grid=True,
        do_not_reload_embeddings=True,
        override_settings={name: value for name, value in wanted.items() if may_be_set(name)})
    try:
        with closing(p):
            images = processing.process_images(p).images
    except nans_exceptions() as error:
        raise HostError(str(error)) from error
    state = shared.state
    if not images or state.interrupted or state.skipped or state.stopping_generation:
        raise Interrupted("Interrupted in the WebUI.")
    return images[0]


def nans_exceptions() -> tuple[type[Exception], ...]:
    """What the WebUI raises for a picture of NaNs, a class of its own; Neo raises nothing."""
    found = getattr(devices, "NansException", None)
    return (found,) if found else ()


def may_be_set(setting: str) -> bool:
    """Whether this WebUI has the setting, and lets it be changed."""
    return setting in shared.opts.data_labels and not is_frozen(setting)


def is_frozen(setting: str) -> bool:
    """Whether the WebUI runs with a --freeze-settings option that forbids changing this setting."""
    options, known = shared.cmd_opts, shared.opts.data_labels.get(setting)
    return bool(options.freeze_settings or setting in comma_separated(options.freeze_specific_settings)
                or known and known.section[0] in comma_separated(options.freeze_settings_in_sections))


def comma_separated(listed: str | None) -> list[str]:
    return [part.strip() for part in (listed or "").split(",")]


def forget_encoded_prompts() -> None:
    """The WebUI caches encoded prompts by their text, which is wrong once the text encoder has changed."""
    for kind, names in CACHES.items():
        for name in names:
            setattr(getattr(processing, kind), name, [None] * len(getattr(getattr(processing, kind), name)))
