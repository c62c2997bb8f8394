"""Settings that kohya_ss saves: flat JSON, for LoRA of all kinds, DreamBooth and Textual Inversion."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import methods
from ..config.run import merge_values
from ..support import toml
from . import kohya_dataset
from .translation import Imported, Target, Translation, beside

METHODS = {
    "Standard": "lora",
    "LoRA-FA": "lora",
    "Kohya LoCon": "locon",
    "LyCORIS/LoCon": "locon",
    "Kohya DyLoRA": "dylora",
    "LyCORIS/DyLoRA": "dylora",
    "Kohya LoHa": "loha",
    "LyCORIS/LoHa": "loha",
    "Kohya LoKr": "lokr",
    "LyCORIS/LoKr": "lokr",
    "LyCORIS/iA3": "ia3",
    "LyCORIS/Diag-OFT": "oft",
    "LyCORIS/BOFT": "boft",
    "LyCORIS/GLoRA": "glora",
    "LyCORIS/Native Fine-Tuning": "full",
}
SAME: dict[str, Target] = {
    "train_batch_size": ("training", "batch_size"),
    "gradient_accumulation_steps": ("training", "accumulation"),
    "gradient_checkpointing": ("training", "checkpointing"),
    "max_grad_norm": ("training", "clip"),
    "seed": ("training", "seed"),
    "flip_aug": ("data", "flip"),
    "shuffle_caption": ("data", "shuffle_captions"),
    "keep_tokens": ("data", "keep_first"),
    "caption_dropout_rate": ("data", "caption_dropout"),
    "enable_bucket": ("data", "buckets"),
    "masked_loss": ("data", "masked"),
    "weighted_captions": ("data", "prompt_syntax"),
    "noise_offset": ("noise", "noise_offset"),
    "prior_loss_weight": ("prior", "weight"),
    "save_every_n_steps": ("saving", "save_every"),
    "sample_every_n_steps": ("previews", "preview_every"),
    "pretrained_model_name_or_path": ("base", "checkpoint"),
    "output_name": ("output", "name"),
}
OF_ADAPTERS: dict[str, Target] = {
    "network_alpha": ("method", "alpha"),
    "network_dropout": ("method", "dropout"),
    "rank_dropout": ("method", "rank_dropout"),
    "module_dropout": ("method", "module_dropout"),
    "dora_wd": ("method", "dora"),
    "full_matrix": ("method", "full_matrix"),
}
OF_WORDS: dict[str, Target] = {"num_vectors_per_token": ("method", "vectors"), "init_word": ("method", "initial"),
                               "learning_rate": ("method", "rate")}
TEMPLATES = {"caption": "captions", "object template": "object", "style template": "style"}
SAVED = {"fp16": "fp16", "bf16": "bf16", "float": "fp32", "fp32": "fp32"}
LAYERS = {"full": "with convolutions", "attn-mlp": "attention and MLP", "attn-only": "attention"}
OTHER_MODELS = ("v2", "v_parameterization", "sdxl", "sdxl_checkbox", "sd3_checkbox", "flux1_checkbox",
                "lumina_checkbox")
WHOLE = 10_000  # a LoKr of at least this rank is meant to learn its matrices whole
HARMLESS = """
    LyCORIS_preset train_on_input mem_eff_attn xformers cache_latents cache_latents_to_disk vae_batch_size
    mixed_precision full_fp16 full_bf16 num_cpu_threads_per_process max_data_loader_n_workers
    persistent_data_loader_workers dynamo_backend dynamo_mode num_machines num_processes multi_gpu gpu_ids
    main_process_port extra_accelerate_launch_args logging_dir log_with use_wandb wandb_api_key wandb_run_name
    log_tracker_name log_tracker_config log_config training_comment model_list save_model_as save_state no_metadata
    output_dir metadata_author metadata_description metadata_license metadata_tags metadata_title bucket_reso_steps
    bucket_no_upscale min_bucket_reso max_bucket_reso max_token_length no_token_padding sdxl_no_half_vae vae
    sdxl_cache_text_encoder_outputs skip_cache_check highvram lowvram lr_scheduler_num_cycles lr_scheduler_power unit
    factor conv_dim conv_alpha stop_text_encoder_training stop_text_encoder_training_pct
"""


def translate(source: Mapping[str, Any], path: Path) -> Imported:
    translation = Translation(source, method_of(source))
    translation.take_table(SAME)
    concepts(translation, path)
    network(translation)
    pictures(translation)
    noise(translation)
    length(translation)
    saving(translation)
    for key in OTHER_MODELS:
        if translation.take(key) is True:
            translation.drop(key, "choose a checkpoint of Stable Diffusion 1")
    translation.drop_unknown(HARMLESS.split())
    return translation.finish(str(source.get("output_name") or path.stem))


def method_of(source: Mapping[str, Any]) -> str:
    if "init_word" in source:
        return "textual_inversion"
    return METHODS.get(source["LoRA_type"], "lora") if "LoRA_type" in source else "dreambooth"


def concepts(translation: Translation, path: Path) -> None:
    folder, others, word = (translation.take(key) for key in ("train_data_dir", "reg_data_dir", "token_string"))
    if folder:
        named = {"class_folder": str(beside(path, others))} if others else {}
        named.update({"word": str(word)} if word else {})
        translation.values["concepts"] = [{"folder": str(beside(path, folder)), **named}]
    if others:
        translation.values.setdefault("prior", {})["preserve"] = True
    if translation.take("dataset_config"):
        dataset(translation, path)


def dataset(translation: Translation, path: Path) -> None:
    """Pictures described in a file of their own, which goes before what is said here."""
    file = beside(path, translation.take("dataset_config"))
    if not file.is_file():
        translation.drop("dataset_config", "this file with the pictures does not exist")
        return
    described = kohya_dataset.translate(toml.read_toml(file), file)
    translation.values = merge_values(translation.values, {k: v for k, v in described.values.items() if k != "method"})
    translation.dropped += described.dropped


def network(translation: Translation) -> None:
    """The kind of method, its size and its learning rates."""
    kind = translation.take("LoRA_type")
    if kind and kind not in METHODS:
        translation.drop("LoRA_type", "is not known; it is read as plain LoRA")
    elif kind == "LoRA-FA":
        translation.drop("LoRA_type", "both of its matrices learn, as in plain LoRA")
    fits = translation.optimizer("optimizer", ("learning_rate", "unet_lr", "text_encoder_lr", "learning_rate_te"))
    weight_decay(translation)
    if translation.method == "textual_inversion":
        translation.take_table({k: v for k, v in OF_WORDS.items() if fits or k != "learning_rate"})
        translation.put(("data", "template"), TEMPLATES.get(str(translation.take("template")), "captions"), "template")
    elif translation.method == "dreambooth":
        whole_model(translation, fits)
    else:
        adapter(translation, fits)


def whole_model(translation: Translation, fits: bool) -> None:
    if fits:
        translation.take_table({"learning_rate": ("method", "unet_rate"), "learning_rate_te": ("method", "text_rate")})
    share = translation.number("stop_text_encoder_training") / 100
    translation.put(("method", "text_share"), 0.0 if share < 0 else share or 1.0, "stop_text_encoder_training")


def adapter(translation: Translation, fits: bool) -> None:
    translation.take_table(
        {key: target
         for key, target in OF_ADAPTERS.items()
         if translation.take(key) not in (None, 0, False)})
    size(translation)
    general, unet, text = (translation.take(key) for key in ("learning_rate", "unet_lr", "text_encoder_lr"))
    if fits and not float(unet or 0) and not float(text or 0):
        unet = text = general
    if fits:
        translation.put(("method", "unet_rate"), general if unet is None else unet, "unet_lr")
        translation.put(("method", "text_rate"), general if text is None else text, "text_encoder_lr")
    if ratio := translation.number("loraplus_lr_ratio"):
        translation.put(("method", "plus"), ratio, "loraplus_lr_ratio")


def size(translation: Translation) -> None:
    rank = translation.number("network_dim")
    if translation.method == "lokr":
        translation.put(("method", "factor"), translation.take("factor"), "factor")
        if rank >= WHOLE:
            translation.put(("method", "full_matrix"), True, "network_dim")
            return
    if rank and translation.method != "ia3":
        sized_by = "block_size" if translation.method in ("oft", "boft") else "rank"
        translation.put(("method", sized_by), rank, "network_dim")
    if translation.method == "dylora":
        translation.put(("method", "block_size"), translation.take("unit"), "unit")
    if translation.method == "locon":
        translation.take_table({"conv_dim": ("method", "conv_rank"), "conv_alpha": ("method", "conv_alpha")})
    elif str(translation.take("LoRA_type")).startswith("LyCORIS/"):
        layers(translation)


def layers(translation: Translation) -> None:
    """Which layers LyCORIS hangs on: all of them, where no preset says otherwise."""
    preset = str(translation.take("LyCORIS_preset") or "full")
    if preset not in LAYERS:
        translation.drop("LyCORIS_preset", "is not known; choose the layers under Advanced")
    elif translation.method != "ia3":
        translation.put(("method", "layers"), LAYERS[preset], "LoRA_type")
    if LAYERS.get(preset) == LAYERS["full"] and translation.take("conv_dim") != translation.take("network_dim"):
        translation.drop("conv_dim", "the convolutions have the same rank as the other layers")


def weight_decay(translation: Translation) -> None:
    text = str(translation.take("optimizer_args") or "")
    if match := re.search(r"weight_decay=([\d.e-]+)", text):
        translation.put(("training", "weight_decay"), match[1], "optimizer_args")
        text = text.replace(match[0], "")
    if re.search(r"\w", text):
        translation.drop("optimizer_args", "belongs to the optimizer; only weight_decay is imported")


def pictures(translation: Translation) -> None:
    translation.resolution("max_resolution")
    if translation.take("random_crop"):
        translation.put(("data", "crop"), "random", "random_crop")
    if clip_skip := translation.number("clip_skip"):
        translation.put(("data", "clip_skip"), clip_skip, "clip_skip")
    if translation.take("caption_extension") not in (None, ".txt"):
        translation.drop("caption_extension", "captions are read from .txt files")


def noise(translation: Translation) -> None:
    gamma = translation.number("min_snr_gamma")
    debiased = translation.take("debiased_estimation_loss") is True
    translation.put(("noise", "weighting"), "debiased" if debiased else "min-snr" if gamma else "none", "min_snr_gamma")
    if gamma:
        translation.put(("noise", "min_snr_gamma"), gamma, "min_snr_gamma")
    if translation.take("loss_type") in (None, "l2"):
        translation.seen.update({"huber_c", "huber_schedule", "huber_scale"})
    else:
        translation.drop("loss_type", "here the loss is always the squared error, kohya's l2")
    offset_type = translation.take("noise_offset_type")
    multires = ("multires_noise_iterations", "multires_noise_discount")
    if offset_type == "Original" or not translation.number(multires[0]):
        translation.seen.update(multires)
    if translation.number("min_timestep") == 0:
        translation.seen.update({"max_timestep"} if translation.number("max_timestep") in (0, 1000) else ())


def length(translation: Translation) -> None:
    """Epochs asked for by number go before steps, and steps before the epochs of the training tab."""
    steps = translation.number("max_train_steps")
    if translation.number("max_train_epochs"):
        translation.seen.add("epoch")
        translation.epochs("max_train_epochs", ("training", "steps"))
    elif steps:
        translation.seen.add("epoch")
        translation.put(("training", "steps"), steps, "max_train_steps")
    else:
        translation.epochs("epoch", ("training", "steps"))
    translation.schedule("lr_scheduler")
    if "lr_warmup" in translation.source:
        translation.put(("training", "warmup"), min(0.5, translation.number("lr_warmup") / 100), "lr_warmup")
    translation.warmup("lr_warmup_steps")


def saving(translation: Translation) -> None:
    precision = SAVED.get(str(translation.take("save_precision")))
    if precision and precision not in methods.all_methods()[translation.method].precisions:
        translation.drop("save_precision", "the WebUI applies this kind of file correctly only in other formats")
    else:
        translation.put(("saving", "precision"), precision, "save_precision")
    if not translation.number("save_every_n_steps"):
        every(translation, "save_every_n_epochs", ("saving", "save_every"))
    if not translation.number("sample_every_n_steps"):
        every(translation, "sample_every_n_epochs", ("previews", "preview_every"))
    prompts = str(translation.take("sample_prompts") or "").splitlines()
    if prompts:
        translation.put(("previews", "prompts"), [line.split(" --")[0] for line in prompts], "sample_prompts")
    if any(" --" in line for line in prompts):
        translation.drop("sample_prompts", "only the prompts are imported; sizes, seeds and negative prompts after -- "
                         "are not")


def every(translation: Translation, key: str, target: Target) -> None:
    if translation.number(key):
        translation.epochs(key, target)
