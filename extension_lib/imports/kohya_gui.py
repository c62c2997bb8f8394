"""Settings that kohya_ss saves: flat JSON, for LoRA of all kinds, DreamBooth and Textual Inversion."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import methods
from ..config.run import merge_values
from ..support import toml
from . import kohya_dataset
from .reading import Imported, Reading, Target, beside

METHODS = {
    "Standard": "lora", "LoRA-FA": "lora", "Kohya LoCon": "locon", "LyCORIS/LoCon": "locon", "Kohya DyLoRA": "dylora",
    "LyCORIS/DyLoRA": "dylora", "Kohya LoHa": "loha", "LyCORIS/LoHa": "loha", "Kohya LoKr": "lokr", "LyCORIS/LoKr": "lokr",
    "LyCORIS/iA3": "ia3", "LyCORIS/Diag-OFT": "oft", "LyCORIS/BOFT": "boft", "LyCORIS/GLoRA": "glora",
    "LyCORIS/Native Fine-Tuning": "full",
}
SAME: dict[str, Target] = {
    "train_batch_size": ("training", "batch_size"), "gradient_accumulation_steps": ("training", "accumulation"),
    "gradient_checkpointing": ("training", "checkpointing"), "max_grad_norm": ("training", "clip"), "seed": ("training", "seed"),
    "flip_aug": ("data", "flip"), "shuffle_caption": ("data", "shuffle_captions"), "keep_tokens": ("data", "keep_first"),
    "caption_dropout_rate": ("data", "caption_dropout"), "enable_bucket": ("data", "buckets"), "masked_loss": ("data", "masked"),
    "weighted_captions": ("data", "prompt_syntax"), "noise_offset": ("noise", "noise_offset"),
    "prior_loss_weight": ("prior", "weight"), "save_every_n_steps": ("saving", "save_every"),
    "sample_every_n_steps": ("previews", "preview_every"), "pretrained_model_name_or_path": ("base", "checkpoint"),
    "output_name": ("output", "name"),
}
OF_ADAPTERS: dict[str, Target] = {
    "network_alpha": ("method", "alpha"), "network_dropout": ("method", "dropout"), "rank_dropout": ("method", "rank_dropout"),
    "module_dropout": ("method", "module_dropout"), "dora_wd": ("method", "dora"), "full_matrix": ("method", "full_matrix"),
}
OF_WORDS: dict[str, Target] = {"num_vectors_per_token": ("method", "vectors"), "init_word": ("method", "initial"),
                               "learning_rate": ("method", "rate")}
TEMPLATES = {"caption": "captions", "object template": "object", "style template": "style"}
SAVED = {"fp16": "fp16", "bf16": "bf16", "float": "fp32", "fp32": "fp32"}
LAYERS = {"full": "with convolutions", "attn-mlp": "attention and MLP", "attn-only": "attention"}
OTHER_MODELS = ("v2", "v_parameterization", "sdxl", "sdxl_checkbox", "sd3_checkbox", "flux1_checkbox", "lumina_checkbox")
WHOLE = 10_000  # a LoKr of at least this rank is meant to learn its matrices whole
HARMLESS = """
    LyCORIS_preset train_on_input mem_eff_attn xformers cache_latents cache_latents_to_disk vae_batch_size mixed_precision
    full_fp16 full_bf16 num_cpu_threads_per_process max_data_loader_n_workers persistent_data_loader_workers dynamo_backend
    dynamo_mode num_machines num_processes multi_gpu gpu_ids main_process_port extra_accelerate_launch_args logging_dir log_with
    use_wandb wandb_api_key wandb_run_name log_tracker_name log_tracker_config log_config training_comment model_list
    save_model_as save_state no_metadata output_dir metadata_author metadata_description metadata_license metadata_tags
    metadata_title bucket_reso_steps bucket_no_upscale min_bucket_reso max_bucket_reso max_token_length no_token_padding
    sdxl_no_half_vae vae sdxl_cache_text_encoder_outputs skip_cache_check highvram lowvram lr_scheduler_num_cycles
    lr_scheduler_power unit factor conv_dim conv_alpha stop_text_encoder_training stop_text_encoder_training_pct
"""


def translated(source: Mapping[str, Any], path: Path) -> Imported:
    reading = Reading(source, method_of(source))
    reading.table(SAME)
    concepts(reading, path)
    network(reading)
    pictures(reading)
    noise(reading)
    length(reading)
    saving(reading)
    for key in OTHER_MODELS:
        if reading.take(key) is True:
            reading.lose(key, "choose a checkpoint of Stable Diffusion 1")
    reading.rest(HARMLESS.split())
    return reading.imported(str(source.get("output_name") or path.stem))


def method_of(source: Mapping[str, Any]) -> str:
    if "init_word" in source:
        return "textual_inversion"
    return METHODS.get(source["LoRA_type"], "lora") if "LoRA_type" in source else "dreambooth"


def concepts(reading: Reading, path: Path) -> None:
    folder, others, word = (reading.take(key) for key in ("train_data_dir", "reg_data_dir", "token_string"))
    if folder:
        named = {"class_folder": str(beside(path, others))} if others else {}
        named.update({"word": str(word)} if word else {})
        reading.values["concepts"] = [{"folder": str(beside(path, folder)), **named}]
    if others:
        reading.values.setdefault("prior", {})["preserve"] = True
    if reading.take("dataset_config"):
        dataset(reading, path)


def dataset(reading: Reading, path: Path) -> None:
    """Pictures described in a file of their own, which goes before what is said here."""
    file = beside(path, reading.take("dataset_config"))
    if not file.is_file():
        reading.lose("dataset_config", "this file with the pictures is not there")
        return
    described = kohya_dataset.translated(toml.read_toml(file), file)
    reading.values = merge_values(reading.values, {k: v for k, v in described.values.items() if k != "method"})
    reading.lost += described.lost


def network(reading: Reading) -> None:
    """The kind of method, its size and its learning rates."""
    kind = reading.take("LoRA_type")
    if kind and kind not in METHODS:
        reading.lose("LoRA_type", "is not known; it is read as plain LoRA")
    elif kind == "LoRA-FA":
        reading.lose("LoRA_type", "both of its matrices learn, as in plain LoRA")
    fits = reading.optimizer("optimizer", ("learning_rate", "unet_lr", "text_encoder_lr", "learning_rate_te"))
    weight_decay(reading)
    if reading.method == "textual_inversion":
        reading.table({k: v for k, v in OF_WORDS.items() if fits or k != "learning_rate"})
        reading.put(("data", "template"), TEMPLATES.get(str(reading.take("template")), "captions"), "template")
    elif reading.method == "dreambooth":
        whole_model(reading, fits)
    else:
        adapter(reading, fits)


def whole_model(reading: Reading, fits: bool) -> None:
    if fits:
        reading.table({"learning_rate": ("method", "unet_rate"), "learning_rate_te": ("method", "text_rate")})
    share = reading.number("stop_text_encoder_training") / 100
    reading.put(("method", "text_share"), 0.0 if share < 0 else share or 1.0, "stop_text_encoder_training")


def adapter(reading: Reading, fits: bool) -> None:
    reading.table({key: target for key, target in OF_ADAPTERS.items() if reading.take(key) not in (None, 0, False)})
    size(reading)
    general, unet, text = (reading.take(key) for key in ("learning_rate", "unet_lr", "text_encoder_lr"))
    if fits and not float(unet or 0) and not float(text or 0):
        unet = text = general
    if fits:
        reading.put(("method", "unet_rate"), general if unet is None else unet, "unet_lr")
        reading.put(("method", "text_rate"), general if text is None else text, "text_encoder_lr")
    if ratio := reading.number("loraplus_lr_ratio"):
        reading.put(("method", "plus"), ratio, "loraplus_lr_ratio")


def size(reading: Reading) -> None:
    rank = reading.number("network_dim")
    if reading.method == "lokr":
        reading.put(("method", "factor"), reading.take("factor"), "factor")
        if rank >= WHOLE:
            reading.put(("method", "full_matrix"), True, "network_dim")
            return
    if rank and reading.method != "ia3":
        sized_by = "block_size" if reading.method in ("oft", "boft") else "rank"
        reading.put(("method", sized_by), rank, "network_dim")
    if reading.method == "dylora":
        reading.put(("method", "block_size"), reading.take("unit"), "unit")
    if reading.method == "locon":
        reading.table({"conv_dim": ("method", "conv_rank"), "conv_alpha": ("method", "conv_alpha")})
    elif str(reading.take("LoRA_type")).startswith("LyCORIS/"):
        layers(reading)


def layers(reading: Reading) -> None:
    """Which layers LyCORIS hangs on: all of them, where no preset says otherwise."""
    preset = str(reading.take("LyCORIS_preset") or "full")
    if preset not in LAYERS:
        reading.lose("LyCORIS_preset", "is not known; choose the layers under Advanced")
    elif reading.method != "ia3":
        reading.put(("method", "layers"), LAYERS[preset], "LoRA_type")
    if LAYERS.get(preset) == LAYERS["full"] and reading.take("conv_dim") != reading.take("network_dim"):
        reading.lose("conv_dim", "the convolutions have the same rank as the other layers")


def weight_decay(reading: Reading) -> None:
    text = str(reading.take("optimizer_args") or "")
    if match := re.search(r"weight_decay=([\d.e-]+)", text):
        reading.put(("training", "weight_decay"), match[1], "optimizer_args")
        text = text.replace(match[0], "")
    if re.search(r"\w", text):
        reading.lose("optimizer_args", "belongs to the optimiser; of these, only weight_decay is taken over")


def pictures(reading: Reading) -> None:
    reading.resolution("max_resolution")
    if reading.take("random_crop"):
        reading.put(("data", "crop"), "random", "random_crop")
    if clip_skip := reading.number("clip_skip"):
        reading.put(("data", "clip_skip"), clip_skip, "clip_skip")
    if reading.take("caption_extension") not in (None, ".txt"):
        reading.lose("caption_extension", "captions are read from .txt files")


def noise(reading: Reading) -> None:
    gamma = reading.number("min_snr_gamma")
    debiased = reading.take("debiased_estimation_loss") is True
    reading.put(("noise", "weighting"), "debiased" if debiased else "min-snr" if gamma else "none", "min_snr_gamma")
    if gamma:
        reading.put(("noise", "min_snr_gamma"), gamma, "min_snr_gamma")
    if reading.take("loss_type") in (None, "l2"):
        reading.seen.update({"huber_c", "huber_schedule", "huber_scale"})
    else:
        reading.lose("loss_type", "here the loss is always the squared error, kohya's l2")
    offset_type = reading.take("noise_offset_type")
    multires = ("multires_noise_iterations", "multires_noise_discount")
    if offset_type == "Original" or not reading.number(multires[0]):
        reading.seen.update(multires)
    if reading.number("min_timestep") == 0:
        reading.seen.update({"max_timestep"} if reading.number("max_timestep") in (0, 1000) else ())


def length(reading: Reading) -> None:
    """Epochs asked for by number go before steps, and steps before the epochs of the training tab."""
    steps = reading.number("max_train_steps")
    if reading.number("max_train_epochs"):
        reading.seen.add("epoch")
        reading.epochs("max_train_epochs", ("training", "steps"))
    elif steps:
        reading.seen.add("epoch")
        reading.put(("training", "steps"), steps, "max_train_steps")
    else:
        reading.epochs("epoch", ("training", "steps"))
    reading.schedule("lr_scheduler")
    if "lr_warmup" in reading.source:
        reading.put(("training", "warmup"), min(0.5, reading.number("lr_warmup") / 100), "lr_warmup")
    reading.warmup("lr_warmup_steps")


def saving(reading: Reading) -> None:
    precision = SAVED.get(str(reading.take("save_precision")))
    if precision and precision not in methods.found()[reading.method].precisions:
        reading.lose("save_precision", "the WebUI applies a file of this kind rightly only in others")
    else:
        reading.put(("saving", "precision"), precision, "save_precision")
    if not reading.number("save_every_n_steps"):
        every(reading, "save_every_n_epochs", ("saving", "save_every"))
    if not reading.number("sample_every_n_steps"):
        every(reading, "sample_every_n_epochs", ("previews", "preview_every"))
    prompts = str(reading.take("sample_prompts") or "").splitlines()
    if prompts:
        reading.put(("previews", "prompts"), [line.split(" --")[0] for line in prompts], "sample_prompts")
    if any(" --" in line for line in prompts):
        reading.lose("sample_prompts", "of these the prompts are taken over; sizes, seeds and negative prompts after -- are not")


def every(reading: Reading, key: str, target: Target) -> None:
    if reading.number(key):
        reading.epochs(key, target)
