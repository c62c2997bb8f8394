"""The network of kohya's settings: its kind, its size, its layers and its learning rates."""

from ..config.optimizers import OPTIMIZERS
from .optimizers import optimizer
from .translation import Target, Translation

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
OF_ADAPTERS: dict[str, Target] = {
    "network_alpha": ("method", "alpha"),
    "network_dropout": ("method", "dropout"),
    "rank_dropout": ("method", "rank_dropout"),
    "module_dropout": ("method", "module_dropout"),
    "dora_wd": ("method", "dora"),
    "full_matrix": ("method", "full_matrix"),
}
OF_CONVOLUTIONS: dict[str, Target] = {"conv_dim": ("method", "conv_rank"), "conv_alpha": ("method", "conv_alpha")}
OF_WORDS: dict[str, Target] = {"num_vectors_per_token": ("method", "vectors"), "init_word": ("method", "initial"),
                               "learning_rate": ("method", "rate")}
OF_ENCODERS: dict[str, Target] = {"learning_rate_te1": ("method", "text_rate"),
                                  "learning_rate_te2": ("method", "text_rate_2")}
MEMORY: dict[str, Target] = {"full_bf16": ("method", "bf16"), "fused_backward_pass": ("training", "in_backward")}
TEMPLATES = {"caption": "captions", "object template": "object", "style template": "style"}
LAYERS = {"full": "with convolutions", "attn-mlp": "attention and MLP", "attn-only": "attention"}
WHOLE = 10_000  # a LoKr of at least this rank is meant to learn its matrices whole


def network(translation: Translation) -> None:
    """The kind of method, its size and its learning rates."""
    kind = str(translation.take("LoRA_type") or "")
    if kind and kind not in METHODS:
        translation.drop("LoRA_type", "is not known; it is read as plain LoRA")
    elif kind == "LoRA-FA":
        translation.drop("LoRA_type", "both of its matrices learn, as in plain LoRA")
    optimizer(translation, "optimizer", "optimizer_args")
    if translation.method == "textual_inversion":
        translation.take_table(OF_WORDS)
        translation.put(("data", "template"), TEMPLATES.get(str(translation.take("template")), "captions"), "template")
    elif translation.method == "dreambooth":
        whole_model(translation)
    else:
        adapter(translation)


def whole_model(translation: Translation) -> None:
    translation.take_table({"learning_rate": ("method", "unet_rate"), "learning_rate_te": ("method", "text_rate")})
    if any(translation.number(key) for key in OF_ENCODERS):
        translation.take_table(OF_ENCODERS)
    share = translation.number("stop_text_encoder_training") / 100
    translation.put(("method", "text_share"), 0.0 if share < 0 else share or 1.0, "stop_text_encoder_training")
    memory(translation)


def memory(translation: Translation) -> None:
    """What saves memory where whole matrices are trained; it rounds up or down by chance here, not to the nearest."""
    wanted = [(key, target) for key, target in MEMORY.items() if translation.take(key) is True]
    optimizer_kind = OPTIMIZERS[translation.values["training"]["optimizer"]]
    for key, target in wanted:
        if not optimizer_kind.one_by_one:
            translation.drop(key, f"{optimizer_kind.name} needs all gradients at once")
        elif key == "fused_backward_pass" and translation.number("gradient_accumulation_steps") > 1:
            translation.drop(key, "the gradients of several batches are summed up, so they must be kept")
        else:
            translation.put(target, True, key)


def adapter(translation: Translation) -> None:
    translation.take_table(
        {key: target
         for key, target in OF_ADAPTERS.items()
         if translation.take(key) not in (None, 0, False)})
    size(translation)
    second = second_rate(translation, "text_encoder_lr")
    general, unet, text = map(translation.number_if_given, ("learning_rate", "unet_lr", "text_encoder_lr"))
    if not unet and not text:
        unet = text = general
    translation.put(("method", "unet_rate"), general if unet is None else unet, "unet_lr")
    translation.put(("method", "text_rate"), general if text is None else text, "text_encoder_lr")
    translation.put(("method", "text_rate_2"), second, "text_encoder_lr")
    if ratio := translation.number("loraplus_lr_ratio"):
        translation.put(("method", "plus"), ratio, "loraplus_lr_ratio")


def second_rate(translation: Translation, key: str) -> float | None:
    """The second of two rates, which are then read as one; None where there is one for both text encoders."""
    rates = translation.source.get(key)
    if not isinstance(rates, list):
        return None
    translation.source = {**translation.source, key: rates[0] if rates else None}
    return rates[1] if len(rates) > 1 else None


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
    alpha_as_rank(translation, "network_alpha", "alpha", rank)
    if translation.method == "dylora":
        translation.put(("method", "block_size"), translation.take("unit"), "unit")
    if translation.method == "locon":
        translation.take_table({key: target for key, target in OF_CONVOLUTIONS.items() if translation.take(key)})
        alpha_as_rank(translation, "conv_alpha", "conv_alpha", translation.number("conv_dim"))
    elif str(translation.take("LoRA_type")).startswith("LyCORIS/"):
        layers(translation)


def alpha_as_rank(translation: Translation, key: str, name: str, rank: float) -> None:
    """An alpha of 0 means one as large as the rank."""
    if rank and translation.number_if_given(key) == 0:
        translation.put(("method", name), rank, key)


def layers(translation: Translation) -> None:
    """Which layers LyCORIS hangs on: all of them, where no preset says otherwise."""
    preset = str(translation.take("LyCORIS_preset") or "full")
    if preset not in LAYERS:
        translation.drop("LyCORIS_preset", "is not known; choose the layers under Advanced")
    elif translation.method != "ia3":
        translation.put(("method", "layers"), LAYERS[preset], "LoRA_type")
    if LAYERS.get(preset) == LAYERS["full"] and translation.take("conv_dim") != translation.take("network_dim"):
        translation.drop("conv_dim", "the convolutions have the same rank as the other layers")
