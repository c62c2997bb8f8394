"""What a method leaves behind: which kinds of files, and how they are used afterwards."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Product:
    """files: keys of export/products.FILES. tag: what a prompt says to load them, with {name} and {weight:g}."""

    files: tuple[str, ...]
    tag: str = ""
    learns_words: bool = False  # new words, called by their names in prompts
    is_checkpoint: bool = False  # a whole model, chosen in the list of checkpoints
    can_be_muted: bool = True  # whether the untrained model can be asked during training, as prior.penalty does


LORA = Product(("lora",), tag="<lora:{name}:{weight:g}>")
EMBEDDING = Product(("embedding",), learns_words=True, can_be_muted=False)
HYPERNETWORK = Product(("hypernetwork",), tag="<hypernet:{name}:{weight:g}>")
CHECKPOINT = Product(("checkpoint",), is_checkpoint=True, can_be_muted=False)
LORA_AND_WORDS = Product(("lora_of_pair", "embedding_of_pair"), tag="<lora:{name}:{weight:g}>", learns_words=True)
