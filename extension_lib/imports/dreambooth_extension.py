"""sd_dreambooth_extension's db_config.json: one model's settings with a list of concepts."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..config.paths import checkpoint_beside, path_beside
from ..config.run import FILEWORDS
from ..settings import SettingError, to_float
from .optimizers import optimizer
from .translation import Imported, Target, Translation, with_defaults

DEFAULTS = {
    "resolution": 512, "hflip": False, "shuffle_tags": True, "train_batch_size": 1, "gradient_accumulation_steps": 1,
    "gradient_checkpointing": True, "clip_skip": 1, "offset_noise": 0.0, "prior_loss_weight": 0.75,
    "learning_rate": 5e-6, "lora_learning_rate": 1e-4, "lora_txt_learning_rate": 5e-5, "lora_unet_rank": 4,
    "lora_txt_rank": 4, "lr_scheduler": "constant_with_warmup", "num_train_epochs": 100, "use_ema": True
}

SAME: dict[str, Target] = {
    "resolution": ("data", "resolution"), "hflip": ("data", "flip"), "shuffle_tags": ("data", "shuffle_captions"),
    "train_batch_size": ("training", "batch_size"), "gradient_accumulation_steps": ("training", "accumulation"),
    "gradient_checkpointing": ("training", "checkpointing"), "clip_skip": ("data", "clip_skip"),
    "offset_noise": ("noise", "noise_offset"), "prior_loss_weight": ("prior", "weight"),
    "model_name": ("output", "name"), "adamw_weight_decay": ("training", "weight_decay"),
    "weight_decay": ("training", "weight_decay"),
}
OF_LORA: dict[str, Target] = {
    "lora_learning_rate": ("method", "unet_rate"), "lora_txt_learning_rate": ("method", "text_rate"),
    "lora_unet_rank": ("method", "rank"), "lora_rank": ("method", "rank"),
}
OF_MODEL: dict[str, Target] = {
    "learning_rate": ("method", "unet_rate"), "txt_learning_rate": ("method", "text_rate"),
    "stop_text_encoder": ("method", "text_share"),
}
EMA = 0.9999  # the decay it has there
HARMLESS = """
    attention cache_latents concepts_list concepts_path use_concepts custom_model_name noise_scheduler disable_logging
    deterministic ema_predict epoch freeze_clip_normalization gradient_set_to_none graph_smoothing half_model
    train_unfrozen has_ema infer_ema initial_revision learning_rate_min lifetime_revision lora_model_name
    lora_txt_weight lr_cycles lr_factor lr_power lr_scale_pos max_token_length mixed_precision full_mixed_precision
    model_dir model_path pad_tokens pretrained_model_name_or_path revision prior_loss_target prior_loss_weight_min
    sample_batch_size sanity_prompt sanity_seed save_ckpt_after save_ckpt_cancel save_ckpt_during save_ema
    save_lora_after save_lora_cancel save_lora_during save_lora_for_extra_net save_safetensors save_state_after
    save_state_cancel save_state_during scheduler snapshot split_loss shared_diffusers_path tf32_enable train_unet
    use_shared_src use_subdir model_type v2 disable_class_matching adaptation_beta1 adaptation_beta2 adaptation_d0
    adaptation_eps tenc_weight_decay epoch_pause_time lora_weight lora_txt_rank use_ema
"""


def translate(source: Mapping[str, Any], path: Path) -> Imported:
    translation = Translation(with_defaults(source, DEFAULTS), "lora" if source.get("use_lora") else "dreambooth")
    translation.seen.add("use_lora")
    translation.take_table(SAME)
    if base := translation.take("src"):
        translation.put(("base", "checkpoint"), checkpoint_beside(path, str(base)), "src")
    translation.put(("noise", "weighting"), "none", "min_snr_gamma")
    listed = [c for c in concepts_of(translation, path) if c.get("instance_data_dir")]
    translation.values["concepts"] = [concept(translation, c, path) for c in listed]
    method(translation)
    length(translation)
    class_pictures(translation, listed)
    previews(translation, listed)
    drop_misleading(translation)
    translation.drop_unknown({*HARMLESS.split(), *OF_LORA, *OF_MODEL})
    return translation.finish(str(source.get("model_name") or path.parent.name))


def concepts_of(translation: Translation, path: Path) -> list[dict[str, Any]]:
    """The list in the file, or the one in the file that it names."""
    listed = translation.source.get("concepts_list") or []
    other = translation.take("concepts_path")
    if not translation.take("use_concepts") or not other:
        return listed
    try:
        return json.loads(path_beside(path, other).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        translation.drop("concepts_path", "cannot be read")
        return listed


def concept(translation: Translation, source: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """One concept; path: of the file of settings."""
    token, prompt = str(source.get("instance_token") or ""), str(source.get("instance_prompt") or FILEWORDS)
    if token and FILEWORDS in prompt and token not in prompt:
        translation.dropped.append(f"instance_token = {token}: is not added to captions automatically; write it in the "
                                   "instance prompt.")
    by_captions = source.get("class_prompt") == FILEWORDS
    named = {
        "folder": path_beside(path, source["instance_data_dir"]), "instance_prompt": prompt,
        "class_folder": path_beside(path, source["class_data_dir"]) if source.get("class_data_dir") else "",
        "class_prompt": source.get("class_token") if by_captions and not token else source.get("class_prompt"),
        "word": token if by_captions else ""
    }
    return {key: str(value) for key, value in named.items() if value}


def method(translation: Translation) -> None:
    optimizer(translation, "optimizer")
    table = OF_LORA if translation.method == "lora" else OF_MODEL
    translation.take_table(table)
    chosen, source = translation.values["method"], translation.source
    if translation.method == "lora" and "rank" in chosen:
        chosen["alpha"] = float(chosen["rank"])  # while it trained there, what was learned counted in full
        if source.get("lora_weight", 1) != 1:
            translation.drop("lora_weight", "there it only weakened the saved file; choose the weight in the prompt")
        if source.get("lora_txt_rank", chosen["rank"]) != chosen["rank"]:
            translation.drop("lora_txt_rank", "the text encoder has the rank of the UNet")
    if translation.method == "dreambooth":
        if "txt_learning_rate" not in source:  # older versions have one rate for both
            translation.put(("method", "text_rate"), source.get("learning_rate"), "learning_rate")
        translation.put(("method", "ema"), EMA if source.get("use_ema") else None, "use_ema")
        translation.put(("saving", "precision"), "fp16" if source.get("half_model") else "fp32", "half_model")
    if not source.get("stop_text_encoder", 1):
        chosen["text_rate"] = 0.0


def length(translation: Translation) -> None:
    translation.epochs("num_train_epochs", ("training", "steps"))
    translation.epochs("save_embedding_every", ("saving", "save_every"))
    translation.schedule("lr_scheduler", "lr_cycles", "lr_power")
    translation.warmup("lr_warmup_steps")


def class_pictures(translation: Translation, concepts: list[dict[str, Any]]) -> None:
    """They are asked for per instance picture there, and for a concept as a whole here."""
    most = max(concepts, key=per_picture, default={})
    if not per_picture(most):
        return
    translation.values.setdefault("prior", {})["preserve"] = True
    if showings := translation.showings():
        translation.put(("prior", "pictures"), max(1, round(per_picture(most) * showings / len(concepts))),
                        "num_class_images_per")
    else:
        translation.dropped.append(f"num_class_images_per = {per_picture(most)}: the number of pictures is not known.")
    translation.put(("prior", "cfg"), most.get("class_guidance_scale"), "class_guidance_scale")
    translation.put(("prior", "drawing_steps"), most.get("class_infer_steps"), "class_infer_steps")
    if most.get("class_negative_prompt"):
        translation.dropped.append(f"class_negative_prompt = {most['class_negative_prompt']}: class pictures are drawn "
                                   "without one.")


def per_picture(concept: Mapping[str, Any]) -> float:
    return number_of(concept, "num_class_images_per")


def number_of(concept: Mapping[str, Any], key: str) -> float:
    """A concept's number; 0 where it is blank or none."""
    try:
        return to_float(concept.get(key) or 0, key)
    except SettingError:
        return 0.0


def previews(translation: Translation, concepts: list[dict[str, Any]]) -> None:
    prompts = [
        str(c["save_sample_prompt"]) for c in concepts if c.get("save_sample_prompt") not in (None, "", FILEWORDS)
    ]
    if not prompts:
        translation.seen.add("save_preview_every")
        return
    first = concepts[0]
    translation.put(("previews", "prompts"), prompts, "save_sample_prompt")
    translation.epochs("save_preview_every", ("previews", "preview_every"))
    translation.put(("previews", "cfg"), first.get("save_guidance_scale"), "save_guidance_scale")
    translation.put(("previews", "preview_steps"), first.get("save_infer_steps"), "save_infer_steps")
    if number_of(first, "sample_seed") >= 0:
        translation.put(("previews", "preview_seed"), first.get("sample_seed"), "sample_seed")


def drop_misleading(translation: Translation) -> None:
    """What would be taken over by its name, but means something else."""
    if translation.number("min_snr_gamma"):
        translation.drop("min_snr_gamma", "had no effect there; set it under Noise and loss if you want it")
    if translation.take("prior_loss_scale"):
        translation.drop("prior_loss_scale", "the weight of class pictures stays the same throughout")
