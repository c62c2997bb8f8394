"""Noise and loss of kohya's settings."""

from ..config.noise import LOSSES, MOST_LEVELS, TIMESTEPS
from .translation import Target, Translation

OURS = {theirs: ours for ours, theirs in LOSSES.items()}
OF_HUBER: dict[str, Target] = {"huber_c": ("noise", "huber_c"), "huber_schedule": ("noise", "huber_schedule")}
MULTIRES, DISCOUNT = "multires_noise_iterations", "multires_noise_discount"
LINEAR = 0.001  # where smooth L1 begins to count errors as themselves, as kohya's l1 does from 0 on


def noise(translation: Translation) -> None:
    weighting(translation)
    loss(translation)
    kinds_of_noise(translation)
    timesteps(translation)


def weighting(translation: Translation) -> None:
    gamma = translation.number("min_snr_gamma")
    debiased = translation.take("debiased_estimation_loss") is True
    translation.put(("noise", "weighting"), "debiased" if debiased else "min-snr" if gamma else "none", "min_snr_gamma")
    if gamma:
        translation.put(("noise", "min_snr_gamma"), gamma, "min_snr_gamma")


def loss(translation: Translation) -> None:
    name = str(translation.take("loss_type") or "l2")
    translation.seen.update({*OF_HUBER, "huber_scale"})
    if name == "l1":
        translation.values.setdefault("noise", {}).update(
            {"loss": "smooth L1", "huber_c": LINEAR, "huber_schedule": "constant"})
    elif name not in OURS:
        translation.drop("loss_type", "here the loss is one of kohya's l2, l1, huber and smooth_l1")
    elif name != "l2":
        translation.put(("noise", "loss"), OURS[name], "loss_type")
        huber(translation)


def huber(translation: Translation) -> None:
    """The scale multiplies c in all schedules but snr."""
    translation.take_table(OF_HUBER)
    scale, schedule = translation.number("huber_scale"), translation.take("huber_schedule")
    if scale != 1 and schedule == "constant":
        translation.put(("noise", "huber_c"), scale * translation.number("huber_c"), "huber_scale")
    elif scale != 1 and schedule == "exponential":
        translation.drop("huber_scale", "here c falls from 1")


def kinds_of_noise(translation: Translation) -> None:
    """kohya_ss has one of offset and multi-resolution noise, whichever is chosen; the scripts have both."""
    kind = translation.take("noise_offset_type")
    if kind != "Multires":
        translation.take_table({"noise_offset": ("noise", "noise_offset")})
    levels = translation.number(MULTIRES)
    if levels and kind != "Original":
        translation.put(("noise", "multires_levels"), min(levels, MOST_LEVELS), MULTIRES)
        translation.take_table({DISCOUNT: ("noise", "multires_discount")})
    translation.seen.update({"noise_offset", DISCOUNT})
    translation.take_table({"ip_noise_gamma": ("noise", "input_perturbation")})


def timesteps(translation: Translation) -> None:
    translation.put(("noise", "min_timestep"), translation.number("min_timestep"), "min_timestep")
    translation.put(("noise", "max_timestep"), translation.number("max_timestep") or TIMESTEPS, "max_timestep")
