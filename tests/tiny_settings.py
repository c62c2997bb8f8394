"""How the tiny checkpoints of tests are built: for diffusers and transformers, and for the WebUI."""

from dataclasses import dataclass
from typing import Any

TOKENS = 49408
TIME_IDS = 6 * 256  # original size, corner and target size, each number as 256
POOLED = 256
WIDTHS = {"clip": 64, "open_clip": 256}  # OpenCLIP's are those of ViT-S-32-alt, the smallest that it knows


@dataclass(frozen=True)
class TinyFamily:
    channels: tuple[int, ...]  # of each level of the UNet
    attention: tuple[int, ...]  # levels that attend
    depth: tuple[int, ...]
    heads: tuple[int, ...]
    linear: bool  # whether transformers begin and end with linear layers
    scale: float  # of latents
    encoders: tuple[str, ...]
    text_prefixes: tuple[str, ...]  # in checkpoints
    open_clip_layers: int = 10  # those that diffusers builds
    vae_channels: tuple[int, ...] = (32, 32, 64, 64)

    @property
    def context(self) -> int:
        return sum(WIDTHS[kind] for kind in self.encoders)

    @property
    def has_sizes(self) -> bool:
        return len(self.encoders) > 1


SD1 = TinyFamily((64, 64, 128, 128), (0, 1, 2), (1, 1, 1, 1), (4, 4, 4, 4), False, 0.18215, ("clip",),
                 ("cond_stage_model.transformer.",))
SD2 = TinyFamily((64, 64, 128, 128), (0, 1, 2), (1, 1, 1, 1), (2, 2, 4, 4), True, 0.18215, ("open_clip",),
                 ("cond_stage_model.model.",), open_clip_layers=9)
SDXL = TinyFamily((64, 128, 256), (1, 2), (1, 1, 2), (2, 4, 8), True, 0.13025, ("clip", "open_clip"),
                  ("conditioner.embedders.0.transformer.", "conditioner.embedders.1.model."))


def unet_config(family: TinyFamily) -> dict[str, Any]:
    levels = range(len(family.channels))
    attends = ["CrossAttn" if level in family.attention else "" for level in levels]
    sizes = {"addition_embed_type": "text_time", "addition_time_embed_dim": 256,
             "projection_class_embeddings_input_dim": POOLED + TIME_IDS} if family.has_sizes else {}
    return {
        "_class_name": "UNet2DConditionModel", "act_fn": "silu", "attention_head_dim": list(family.heads),
        "block_out_channels": list(family.channels), "center_input_sample": False,
        "cross_attention_dim": family.context, "down_block_types": [f"{a}DownBlock2D" for a in attends],
        "downsample_padding": 1, "flip_sin_to_cos": True, "freq_shift": 0, "in_channels": 4, "layers_per_block": 2,
        "mid_block_scale_factor": 1, "norm_eps": 1e-05, "norm_num_groups": 32, "out_channels": 4, "sample_size": 16,
        "transformer_layers_per_block": list(family.depth), "use_linear_projection": family.linear,
        "up_block_types": [f"{a}UpBlock2D" for a in reversed(attends)], **sizes,
    }


def vae_config(family: TinyFamily) -> dict[str, Any]:
    levels = len(family.vae_channels)
    return {
        "_class_name": "AutoencoderKL", "act_fn": "silu", "block_out_channels": list(family.vae_channels),
        "down_block_types": ["DownEncoderBlock2D"] * levels, "in_channels": 3, "latent_channels": 4,
        "layers_per_block": 2, "norm_num_groups": 32, "out_channels": 3, "sample_size": 128,
        "scaling_factor": family.scale, "up_block_types": ["UpDecoderBlock2D"] * levels,
    }


def text_config(family: TinyFamily, kind: str) -> dict[str, Any]:
    """Of a CLIPTextConfig. kind: "clip" or "open_clip", an encoder of the family."""
    width, clip = WIDTHS[kind], kind == "clip"
    layers = 3 if clip else family.open_clip_layers
    shown = "CLIPTextModelWithProjection" if not clip and family.has_sizes else "CLIPTextModel"
    return {
        "architectures": [shown], "attention_dropout": 0.0, "bos_token_id": TOKENS - 2, "eos_token_id": TOKENS - 1,
        "hidden_act": "quick_gelu" if clip else "gelu", "hidden_size": width, "intermediate_size": 4 * width,
        "layer_norm_eps": 1e-05, "max_position_embeddings": 77, "model_type": "clip_text_model",
        "num_attention_heads": 4, "num_hidden_layers": layers, "pad_token_id": TOKENS - 1 if clip else 0,
        "projection_dim": width, "vocab_size": TOKENS,
    }


def scheduler(family: TinyFamily, prediction: str) -> dict[str, Any]:
    kind = "EulerDiscreteScheduler" if family.has_sizes else "DDIMScheduler"
    own = {} if family.has_sizes else {"clip_sample": False, "set_alpha_to_one": False}
    return {"_class_name": kind, "beta_end": 0.012, "beta_schedule": "scaled_linear", "beta_start": 0.00085,
            "num_train_timesteps": 1000, "prediction_type": {"eps": "epsilon", "v": "v_prediction"}[prediction],
            "steps_offset": 1, **own}


def model_index(family: TinyFamily) -> dict[str, Any]:
    xl = family.has_sizes
    second = {"text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
              "tokenizer_2": ["transformers", "CLIPTokenizer"], "force_zeros_for_empty_prompt": True}
    first = {"safety_checker": [None, None], "requires_safety_checker": False}
    return {
        "_class_name": "StableDiffusionXLPipeline" if xl else "StableDiffusionPipeline",
        "feature_extractor": [None, None], "image_encoder": [None, None],
        "scheduler": ["diffusers", scheduler(family, "eps")["_class_name"]],
        "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
        **(second if xl else first),
    }


def webui_settings(family: TinyFamily, prediction: str, tokenizer: str) -> dict[str, Any]:
    """What the WebUI reads in the .yaml beside a checkpoint."""
    return {"model": engine(family, prediction, tokenizer) if family.has_sizes
            else latent_diffusion(family, prediction, tokenizer)}


def latent_diffusion(family: TinyFamily, prediction: str, tokenizer: str) -> dict[str, Any]:
    encoders = "ldm.modules.encoders.modules."
    text = {"target": f"{encoders}FrozenCLIPEmbedder", "params": {"version": tokenizer}}
    if family.encoders[0] == "open_clip":
        text = {"target": f"{encoders}FrozenOpenCLIPEmbedder",
                "params": {"arch": "ViT-S-32-alt", "freeze": True, "layer": "penultimate"}}
    return {"target": "ldm.models.diffusion.ddpm.LatentDiffusion", "params": {
        "parameterization": prediction, "linear_start": 0.00085, "linear_end": 0.0120, "timesteps": 1000,
        "first_stage_key": "jpg", "cond_stage_key": "txt", "image_size": 16, "channels": 4,
        "cond_stage_trainable": False, "conditioning_key": "crossattn", "scale_factor": family.scale, "use_ema": False,
        "unet_config": {"target": "ldm.modules.diffusionmodules.openaimodel.UNetModel",
                        "params": {"image_size": 16, "transformer_depth": 1, **compvis_unet(family)}},
        "first_stage_config": {"target": "ldm.models.autoencoder.AutoencoderKL", "params": compvis_vae(family)},
        "cond_stage_config": text}}


def engine(family: TinyFamily, prediction: str, tokenizer: str) -> dict[str, Any]:
    """sgm's DiffusionEngine."""
    parts = "sgm.modules.diffusionmodules."
    scaling = {"eps": "EpsScaling", "v": "VScaling"}[prediction]
    unet = {"adm_in_channels": POOLED + TIME_IDS, "num_classes": "sequential", "transformer_depth": list(family.depth),
            "spatial_transformer_attn_type": "softmax", **compvis_unet(family)}
    return {"target": "sgm.models.diffusion.DiffusionEngine", "params": {
        "scale_factor": family.scale, "disable_first_stage_autocast": True,
        "denoiser_config": {"target": f"{parts}denoiser.DiscreteDenoiser", "params": {
            "num_idx": 1000, "weighting_config": {"target": f"{parts}denoiser_weighting.EpsWeighting"},
            "scaling_config": {"target": f"{parts}denoiser_scaling.{scaling}"},
            "discretization_config": {"target": f"{parts}discretizer.LegacyDDPMDiscretization"}}},
        "network_config": {"target": f"{parts}openaimodel.UNetModel", "params": unet},
        "conditioner_config": {"target": "sgm.modules.GeneralConditioner", "params": {"emb_models": [
            *text_embedders(tokenizer), *map(size_embedder, (
                "original_size_as_tuple", "crop_coords_top_left", "target_size_as_tuple"))]}},
        "first_stage_config": {"target": "sgm.models.autoencoder.AutoencoderKLInferenceWrapper",
                               "params": compvis_vae(family)}}}


def text_embedders(tokenizer: str) -> list[dict[str, Any]]:
    shared = {"is_trainable": False, "input_key": "txt"}
    encoders = "sgm.modules.encoders.modules."
    return [{**shared, "target": f"{encoders}FrozenCLIPEmbedder",
             "params": {"version": tokenizer, "layer": "hidden", "layer_idx": 2}},
            {**shared, "target": f"{encoders}FrozenOpenCLIPEmbedder2",
             "params": {"arch": "ViT-S-32-alt", "freeze": True, "layer": "penultimate", "always_return_pooled": True,
                        "legacy": False}}]


def size_embedder(key: str) -> dict[str, Any]:
    return {"is_trainable": False, "input_key": key, "params": {"outdim": 256},
            "target": "sgm.modules.encoders.modules.ConcatTimestepEmbedderND"}


def compvis_unet(family: TinyFamily) -> dict[str, Any]:
    heads = {"num_head_channels": 32} if family.linear else {"num_heads": family.heads[0]}
    first = family.channels[0]
    return {"in_channels": 4, "out_channels": 4, "model_channels": first, "num_res_blocks": 2,
            "attention_resolutions": [2**level for level in reversed(family.attention)],
            "channel_mult": [channels // first for channels in family.channels], **heads,
            "use_spatial_transformer": True, "use_linear_in_transformer": family.linear, "use_checkpoint": False,
            "context_dim": family.context, "legacy": False}


def compvis_vae(family: TinyFamily) -> dict[str, Any]:
    first = family.vae_channels[0]
    return {"embed_dim": 4, "monitor": "val/rec_loss", "lossconfig": {"target": "torch.nn.Identity"}, "ddconfig": {
        "double_z": True, "z_channels": 4, "resolution": 128, "in_channels": 3, "out_ch": 3, "ch": first,
        "ch_mult": [channels // first for channels in family.vae_channels], "num_res_blocks": 2,
        "attn_resolutions": [], "dropout": 0.0, **({"attn_type": "vanilla"} if family.has_sizes else {})}}
