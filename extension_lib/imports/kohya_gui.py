"""Settings that kohya_ss saves: flat JSON, for LoRA of all kinds, DreamBooth and Textual Inversion."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .. import methods
from ..config.paths import checkpoint_beside, path_beside
from ..config.run import merge_values
from ..support import toml
from ..support.disk import is_file
from . import kohya_dataset
from .kohya_folders import folder_title, repeat_folders
from .kohya_model import checkpoint_kind
from .kohya_network import METHODS, network
from .kohya_noise import noise
from .translation import WITHOUT_CLASS_PROMPT, Imported, Target, Translation, whole, with_defaults

DEFAULTS = {  # of its page
    "train_batch_size": 1, "gradient_accumulation_steps": 1, "gradient_checkpointing": False, "max_grad_norm": 1.0,
    "flip_aug": False, "shuffle_caption": False, "keep_tokens": 0, "caption_dropout_rate": 0.0, "enable_bucket": True,
    "masked_loss": False, "weighted_captions": False, "noise_offset": 0.0, "prior_loss_weight": 1.0, "clip_skip": 1,
    "max_resolution": "512,512", "caption_extension": ".caption", "lr_scheduler": "cosine", "lr_warmup": 10,
    "epoch": 1, "save_precision": "fp16", "huber_c": 0.1, "huber_schedule": "snr", "huber_scale": 1.0
}
OF_ADAPTERS = {"network_dim": 8, "network_alpha": 1, "conv_dim": 1, "conv_alpha": 1}  # the page's too
OF_SCHEDULE = "lr_scheduler_num_cycles", "lr_scheduler_power"
STEPS = 1600  # where neither steps nor epochs are given
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
    "caption_tag_dropout_rate": ("data", "tag_dropout"),
    "enable_bucket": ("data", "buckets"),
    "masked_loss": ("data", "masked"),
    "weighted_captions": ("data", "prompt_syntax"),
    "prior_loss_weight": ("prior", "weight"),
    "save_every_n_steps": ("saving", "save_every"),
    "sample_every_n_steps": ("previews", "preview_every"),
    "output_name": ("output", "name"),
}
OF_DATASET = {"train_batch_size": "batch_size", "max_resolution": "resolution"}  # a dataset file's names for them
SAVED = {"fp16": "fp16", "bf16": "bf16", "float": "fp32", "fp32": "fp32"}
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
    method = method_of(source)
    own = {} if method in ("dreambooth", "textual_inversion") else OF_ADAPTERS
    return translate_keys(Translation(with_defaults(source, {**DEFAULTS, **own}), method), path, length)


def translate_keys(translation: Translation, path: Path, length: Callable[[Translation], None]) -> Imported:
    """The settings under kohya_ss' names. length: what says how long it trains."""
    translation.take_table(SAME)
    if base := translation.take("pretrained_model_name_or_path"):
        translation.put(("base", "checkpoint"), checkpoint_beside(path, str(base)), "pretrained_model_name_or_path")
    pictures(translation)
    concepts(translation, path)
    network(translation)
    noise(translation)
    length(translation)
    saving(translation)
    checkpoint_kind(translation)
    translation.drop_unknown(HARMLESS.split())
    return translation.finish(str(translation.take("output_name") or path.stem))


def method_of(source: Mapping[str, Any]) -> str:
    if "init_word" in source:
        return "textual_inversion"
    return METHODS.get(str(source["LoRA_type"]), "lora") if "LoRA_type" in source else "dreambooth"


def concepts(translation: Translation, path: Path) -> None:
    folder, others, word = (translation.take(key) for key in ("train_data_dir", "reg_data_dir", "token_string"))
    if folder:
        pictures = path_beside(path, folder)
        named = class_pictures(translation, path_beside(path, others)) if others else {}
        named.update({"word": str(word)} if word else {})
        translation.values["concepts"] = [{"folder": str(pictures), **named}]
        if not translation.take("dataset_config"):
            kohya_dataset.name_other_captions(translation, pictures)
    if translation.take("dataset_config"):
        dataset(translation, path)


def class_pictures(translation: Translation, folder: Path) -> dict[str, str]:
    """A concept's class pictures: they are called as the folders that hold them, without the repeats."""
    titles = list(dict.fromkeys(map(folder_title, repeat_folders(folder))))
    if not titles:
        translation.drop("reg_data_dir", WITHOUT_CLASS_PROMPT)
        return {"class_folder": str(folder)}
    if len(titles) > 1:
        translation.drop("reg_data_dir", f"class pictures have one name here, {titles[0]}")
    translation.values.setdefault("prior", {})["preserve"] = True
    return {"class_folder": str(folder), "class_prompt": titles[0]}


def dataset(translation: Translation, path: Path) -> None:
    """Pictures described in a file of their own, which goes before what is said here."""
    file = path_beside(path, translation.take("dataset_config"))
    if not is_file(file):
        translation.drop("dataset_config", "this file with the pictures does not exist")
        return
    given = {OF_DATASET.get(key, key): value for key, value in translation.source.items()}
    known = {key: given[key] for key in (*kohya_dataset.DEFAULTS, "resolution") if given.get(key) is not None}
    described = kohya_dataset.translate(toml.read_toml(file), file, known)
    translation.values = merge_values(translation.values, {k: v for k, v in described.values.items() if k != "method"})
    translation.dropped += described.dropped


def pictures(translation: Translation) -> None:
    translation.resolution("max_resolution")
    if translation.take("random_crop"):
        translation.put(("data", "crop"), "random", "random_crop")
    if clip_skip := translation.number("clip_skip"):
        translation.put(("data", "clip_skip"), clip_skip, "clip_skip")
    translation.seen.add("caption_extension")


def length(translation: Translation) -> None:
    """Epochs asked for by number go before steps, and steps before the epochs of the training tab."""
    steps = translation.number("max_train_steps")
    if translation.number("max_train_epochs"):
        translation.seen.add("epoch")
        translation.epochs("max_train_epochs", ("training", "steps"))
    elif steps or translation.take("dataset_config"):  # whose pictures are not counted there
        translation.seen.add("epoch")
        translation.put(("training", "steps"), steps or STEPS, "max_train_steps")
    else:
        epochs_of_page(translation)
    translation.schedule("lr_scheduler", *OF_SCHEDULE, translation.number("epoch") or 1.0)
    translation.warmup_share(translation.number("lr_warmup") / 100, "lr_warmup")
    if translation.take("lr_warmup_steps") or translation.take("lr_scheduler") == "constant":
        translation.warmup("lr_warmup_steps")


def epochs_of_page(translation: Translation) -> None:
    """kohya_ss divides all showings by the batch, and rounds up once; class pictures take steps of their own there."""
    epochs, counted = translation.number("epoch"), translation.counted()
    if counted is None:
        translation.drop_epochs("epoch")
        return
    run, items = counted
    showings = sum(item.repeats for item in items)
    steps = whole(showings / run.training.batch_size / run.training.accumulation * epochs, math.ceil)
    translation.put(("training", "steps"), steps, "epoch")
    if translation.take("reg_data_dir"):
        translation.drop("reg_data_dir", f"there it makes {2 * steps} steps of the {steps}; here each step sees class "
                         "pictures too")


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
    previews(translation, str(translation.take("sample_prompts") or ""))


def previews(translation: Translation, text: str) -> None:
    """One prompt a line; # begins a comment."""
    prompts = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if prompts:
        translation.put(("previews", "prompts"), [line.split(" --")[0] for line in prompts], "sample_prompts")
    if any(" --" in line for line in prompts):
        translation.drop("sample_prompts", "only the prompts are imported; sizes, seeds and negative prompts after -- "
                         "are not")


def every(translation: Translation, key: str, target: Target) -> None:
    if translation.number(key):
        translation.epochs(key, target)
