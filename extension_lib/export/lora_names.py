"""Names in LoRA files of diffusers, PEFT, OneTrainer, LyCORIS and ComfyUI, as kohya's scripts have them."""

import re

KOHYA = re.compile(r"lora_(?:unet|te[12]?)_[^.]+|bundle_emb")
OTHERS = re.compile(r"^(?:oft_unet_|lycoris_(?=(?:down|up)_blocks_|mid_block_|conv_|time_embedding_|add_embedding_))")
TEXT, SECOND_TEXT, UNET = "lora_te", "lora_te2", "lora_unet"
PEFT = "base_model.model."
ENDINGS = (  # of tensors; the name between dots is that of a PEFT adapter
    (re.compile(r"\.lora_A(\.\w+)?\.weight$"), ".lora_down.weight"),
    (re.compile(r"\.lora_B(\.\w+)?\.weight$"), ".lora_up.weight"),
    (re.compile(r"(?:\.lora_linear_layer|[._]lora)\.(down|up)\.weight$"), r".lora_\1.weight"),
    (re.compile(r"\.lora_magnitude_vector(\.\w+)?$"), ".dora_scale"),
)
PARTS = {PEFT: "", "lora_unet.": UNET, "unet.": UNET, "lora_te.": TEXT, "lora_te1.": TEXT,
         "text_encoder.": TEXT, "clip_l.": TEXT, "lora_te2.": SECOND_TEXT, "text_encoder_2.": SECOND_TEXT,
         "clip_g.": SECOND_TEXT, "diffusion_model.": UNET, "text_encoders.clip_l.transformer.": TEXT,
         "text_encoders.clip_h.transformer.": TEXT,
         "text_encoders.clip_g.transformer.": SECOND_TEXT}  # what names begin with
TEXT_PATH = re.compile(r"(?:text_model\.)?(?=encoder\.layers\.|embeddings\.|final_layer_norm)")


def unnumbered(key: str) -> str:
    """The key under which a layer of the first text encoder is read, with or without its number."""
    return key.replace(f"{TEXT}1_", f"{TEXT}_")


def split_name(name: str) -> tuple[str, str]:
    """(the layer's key, what the tensor is called there)."""
    for pattern, ours in ENDINGS:
        name = pattern.sub(ours, name)
    name = OTHERS.sub(f"{UNET}_", name)
    key, _, rest = name.partition(".")
    if KOHYA.fullmatch(key):
        return unnumbered(key), rest
    path, _, tensor = name.rpartition(".")
    if tensor == "weight" and re.search(r"\.(lora_\w+|[ab][12])$", path):
        path, _, before = path.rpartition(".")
        tensor = f"{before}.weight"
    return layer_key(path), tensor


def layer_key(path: str) -> str:
    """kohya's key of a layer, given its path."""
    prefix = ""
    for begins, part in PARTS.items():
        if path.startswith(begins) and not prefix:
            path, prefix = path.removeprefix(begins), part
    if TEXT_PATH.match(path) and prefix != UNET:
        path, prefix = TEXT_PATH.sub("text_model.", path, count=1), prefix or TEXT
    path = re.sub(r"(?<=\.to_out)$", ".0", path.replace(".processor.", "."))
    return f"{prefix or UNET}.{path}".replace(".", "_")
