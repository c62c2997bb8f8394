"""The header of a LoRA file: kohya's ss_ keys, modelspec, and the hashes that tools look up."""

import hashlib
import json
from datetime import datetime, timezone
from typing import Any

from safetensors.torch import save
from torch import Tensor

from .. import __version__
from ..config.noise import LOSSES, Noise
from ..config.run import Training
from ..families.family import CHUNK
from .header import METHOD, WORDS
from .provenance import Provenance

IMPLEMENTATIONS = {"compvis": "https://github.com/Stability-AI/generative-models"}  # by whose names a file has
LEGACY_AREA = slice(0x100000, 0x110000)  # the bytes of which the oldest hash of a LoRA is taken


def adapter_metadata(about: Provenance) -> dict[str, str]:
    """All metadata of an adapter file except its hashes; every value is text, as the format wants."""
    values = {
        **training_metadata(about), **dataset_metadata(about), **base_metadata(about), **about.run.method.header()
    }
    values = {key: as_text(value) for key, value in values.items() if value is not None}
    return {**values, **modelspec(about, "lora")}


def as_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)


def training_metadata(about: Provenance) -> dict[str, Any]:
    run = about.run
    return {
        "ss_output_name": run.output.name,
        "ss_session_id": int(about.started * 1000) % 2**32,
        "ss_training_started_at": about.started,
        "ss_training_finished_at": about.finished,
        "ss_steps": about.step,
        "ss_max_train_steps": about.last_step,
        "ss_epoch": about.epoch,
        "ss_num_epochs": -(-about.last_step * run.training.accumulation // about.per_epoch),
        "ss_lr_scheduler": run.training.schedule.replace(" ", "_"),
        "ss_lr_warmup_steps": round(run.training.warming_up),
        "ss_optimizer": optimizer_text(run.training),
        "ss_max_grad_norm": run.training.clip,
        "ss_gradient_checkpointing": run.training.checkpointing,
        "ss_gradient_accumulation_steps": run.training.accumulation,
        "ss_clip_skip": run.data.clip_skip if about.family.clip_skip else None,
        "ss_max_token_length": CHUNK,
        "ss_caption_dropout_rate": run.data.caption_dropout,
        "ss_caption_tag_dropout_rate": run.data.tag_dropout,
        "ss_seed": run.training.seed,
        **noise_metadata(run.noise),
        "ss_mixed_precision": about.compute,
        "ss_full_fp16": False,
        "ss_cache_latents": not run.data.crops_vary,
        "darkroom_version": __version__,
        METHOD: about.run.method.name,
        WORDS: list(about.words) or None,
    }


def noise_metadata(noise: Noise) -> dict[str, Any]:
    multires, huber = noise.multires_levels or None, noise.loss != "squared"
    return {
        "ss_noise_offset": noise.noise_offset,
        "ss_multires_noise_iterations": multires,
        "ss_multires_noise_discount": multires and noise.multires_discount,
        "ss_ip_noise_gamma": noise.input_perturbation or None,
        "ss_min_snr_gamma": noise.min_snr_gamma if noise.weighting == "min-snr" else None,
        "ss_debiased_estimation": noise.weighting == "debiased",
        "ss_loss_type": LOSSES[noise.loss],
        "ss_huber_schedule": noise.huber_schedule if huber else None,
        "ss_huber_c": noise.huber_c if huber else None,
    }


def dataset_metadata(about: Provenance) -> dict[str, Any]:
    size = about.run.data.resolution
    return {
        "ss_num_train_images": about.pictures,
        "ss_num_reg_images": about.class_pictures,
        "ss_num_batches_per_epoch": about.per_epoch,
        "ss_batch_size_per_device": about.run.training.batch_size,
        "ss_total_batch_size": about.run.training.batch_size * about.run.training.accumulation * about.processes,
        "ss_resolution": f"({size}, {size})",
        "ss_bucket_info": {"buckets": {str(n): {"resolution": list(bucket), "count": count}
                                       for n, (bucket, count) in enumerate(sorted(about.buckets.items()))}},
        "ss_dataset_dirs": {name: {"n_repeats": repeats, "img_count": count}
                            for name, (repeats, count) in about.folders.items()},
        "ss_reg_dataset_dirs": {},
        "ss_tag_frequency": about.tags,
    }


def base_metadata(about: Provenance) -> dict[str, Any]:
    base_version = about.family.base_versions[about.prediction]
    return {
        "ss_v2": base_version.startswith("sd_v2"),
        "ss_base_model_version": base_version,
        "ss_sd_model_name": about.checkpoint.name,
        "ss_new_sd_model_hash": about.checkpoint_hash or None,
    }


def optimizer_text(training: Training) -> str:
    """As kohya's scripts write it: the class and what it was called with."""
    kind = training.optimizer_kind
    called_with = {"weight_decay": training.weight_decay, **kind.called_with(training.betas, training.epsilon)}
    arguments = ",".join(f"{name}={value}" for name, value in called_with.items())
    return f"{kind.made_by.replace(':', '.')}({arguments})"


def modelspec(about: Provenance, kind: str = "") -> dict[str, str]:
    """Stability's ModelSpec 1.0.1 (github.com/Stability-AI/ModelSpec). kind: "" for a checkpoint."""
    size = about.run.data.resolution
    named = about.family.lora_names if kind == "lora" else "compvis"
    values = {
        "sai_model_spec": "1.0.1",
        "architecture": f"{about.family.architectures[about.prediction]}/{kind}".rstrip("/"),
        "implementation": IMPLEMENTATIONS.get(named, named),
        "title": about.run.output.name,
        "resolution": f"{size}x{size}",
        "date": datetime.fromtimestamp(about.finished, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S"),
        "prediction_type": "epsilon" if about.prediction == "eps" else "v",
        "timestep_range": "0,999",
        "encoder_layer": str(about.run.data.clip_skip) if about.family.clip_skip else "",
        "trigger_phrase": about.trigger,
    }
    return {f"modelspec.{key}": value for key, value in values.items() if value}


def with_hashes(tensors: dict[str, Tensor], metadata: dict[str, str]) -> dict[str, str]:
    """The metadata with the two hashes by which LoRA files are known; both are over the tensors, not over the
    header.
    """
    plain = save(tensors, {key: value for key, value in metadata.items() if key.startswith("ss_")})
    return {**metadata, "sshs_model_hash": model_hash(plain),
            "sshs_legacy_hash": hashlib.sha256(plain[LEGACY_AREA]).hexdigest()[:8]}


def model_hash(file: bytes) -> str:
    """sha256 of everything after the header of a safetensors file."""
    header = int.from_bytes(file[:8], "little")
    return hashlib.sha256(memoryview(file)[8 + header:]).hexdigest()
