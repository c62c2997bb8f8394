"""All that a person may set for a run: sections of settings, read from and written to dicts and TOML."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from .. import methods
from ..families import FAMILIES
from ..families.prediction import CHOICES, FROM_FILE
from ..families.sd1 import SD1
from ..methods.base import PRECISIONS, Method, NewWord
from ..settings import LINES, SettingError, brief, build, option, options, shown, to_str
from ..support.disk import NameProblem, checked_file_name
from .noise import Noise
from .optimizers import OPTIMIZERS, OptimizerKind

OLD_ANSWERS = ("again", "existing")
MADE_FOR = ", ".join(" for ".join((str(family.resolution), family.title)) for family in FAMILIES)
FILEWORDS = "[filewords]"  # in prompts: a picture's own caption


@dataclass(frozen=True)
class Output:
    """What comes out and under which name."""

    name: str = option("", "The file's name and what you type in the prompt: <lora:name:1>.")


@dataclass(frozen=True)
class Base:
    checkpoint: str = option("", "The checkpoint to train on: its title in the list, or the path of a .safetensors "
                             "file.")
    prediction: str = option(FROM_FILE, "What the checkpoint predicts, for files that do not say it themselves. If its "
                             "pictures are right in the WebUI, leave it.", choices=tuple(CHOICES), advanced=True)


@dataclass(frozen=True)
class Concept:
    """One thing to learn: its pictures and what they are called."""

    folder: str = option("", "The folder with the pictures. Captions are read from .txt, .caption or .cap files "
                         "beside them, and pictures in a folder named 10_something count ten times.",
                         label="Folder with pictures", folder=True)
    instance_prompt: str = option(FILEWORDS, "What your pictures are called, with a rare word for the new thing: "
                                  "'a zwx ghost, [filewords]'. [filewords] stands for each picture's own caption.")
    word: str = option(
        "", "For Textual Inversion and Pivotal Tuning: the new word. Empty: the output's name. "
        "[name] in prompts stands for it. For other methods: the rare word in your captions.", advanced=True)
    class_prompt: str = option("", "What things of this kind are called without the rare word: 'a ghost'. "
                               "[filewords] stands for each picture's caption without the rare word.")
    class_folder: str = option("", "Your own class pictures: other things of the same kind. Empty: the checkpoint "
                               "draws them.",
                               label="Folder with class pictures", folder=True, advanced=True)
    repeats: int = option(1, "How often each picture is used in one epoch. Raise it for a concept with few pictures.",
                          min=1, max=1000)


FOLDERS = tuple(option.name for option in options(Concept) if option.folder)


@dataclass(frozen=True)
class Data:
    """How pictures and captions are read."""

    resolution: int = option(SD1.resolution, "Pictures are scaled to about the area of a square with this side, in "
                             f"pixels. Use what the checkpoint was made for: {MADE_FOR}.", min=64, max=2048)
    buckets: bool = option(True, "Keep the aspect ratio of tall and wide pictures, in steps of 64 pixels. Off: all "
                           "pictures become square.")
    crop: str = option("center", "How a picture is cropped that does not fit: always in the center, or at a random "
                       "place each time.",
                       choices=("center", "random"), advanced=True)
    random_scale: float = option(0.0, "Each time, enlarge the picture by a random share up to this, so that close-ups "
                                 "are learned too. 0.2 helps if you have few pictures and none of them close.",
                                 min=0.0, max=1.0, advanced=True)
    random_shift: float = option(0.0, "Each time, move the picture at random by up to this share of its side, enlarged "
                                 "as far as that needs. 0.05 helps if your subject is always in the same place.",
                                 min=0.0, max=0.25, advanced=True)
    masked: bool = option(False, "Train only on what the masks show: a file name-mask.png beside the picture, white "
                          "where it counts, or the picture's own transparency. For subjects that must not be mixed "
                          "with each other.", label="Masks")
    held_out: float = option(0.0, "Share of the pictures that is not trained on, so that the loss on them shows "
                             "overfitting. 0.1 if you have 20 pictures or more; 0 trains on all and measures on some "
                             "of them.",
                             min=0.0, max=0.5, label="Pictures held out")
    flip: bool = option(False, "Also train on every picture mirrored. Not for faces or anything with text on it.",
                        label="Mirror")
    shuffle_captions: bool = option(False, "Shuffle the comma-separated tags of captions, so that their order is not "
                                    "learned. For tag captions.", advanced=True)
    keep_first: int = option(1, "How many tags at the start of a caption stay in place when shuffling, and are never "
                             "left out: your trigger word.",
                             min=0, max=50, advanced=True)
    tag_dropout: float = option(0.0, "Share of a caption's tags that is left out, others each time, so that a tag can "
                                "be used without the rest. 0.1 helps if all captions have the same tags.",
                                min=0.0, max=1.0, advanced=True)
    caption_dropout: float = option(0.0, "Share of the steps in which the caption is empty. 0.05 to 0.1 can help "
                                    "styles.",
                                    min=0.0, max=1.0, advanced=True)
    template: str = option("captions", "The prompts of the pictures: your own (instance prompt and captions), or "
                           "ready-made sentences with [name] for an object or a style. For Textual Inversion.",
                           choices=("captions", "object", "style"), advanced=True)
    clip_skip: int = option(1, "As in the WebUI: 1 uses all layers of the text encoder, 2 skips the last one. Use 2 "
                            "only for checkpoints that are used with 2. It is written into the file.",
                            min=1, max=SD1.text_encoders[0].layers, advanced=True)
    prompt_syntax: bool = option(False, "Read (brackets:1.2) in captions as in the prompt box. Off: captions are plain "
                                 "text.",
                                 advanced=True)

    @property
    def crops_vary(self) -> bool:
        """Whether a picture is cut differently each time."""
        return self.crop == "random" or self.random_scale > 0 or self.random_shift > 0

    @property
    def captions_vary(self) -> bool:
        """Whether a caption's tags differ each time."""
        return self.shuffle_captions or self.tag_dropout > 0


@dataclass(frozen=True)
class Prior:
    """Class pictures: what others of the same kind look like, so that the model does not forget them."""

    preserve: bool = option(False, "Also train on the model's own pictures of the class prompt, so that 'a ghost' "
                            "without your rare word stays as it was. Doubles the time of a step. For DreamBooth, and "
                            "wherever the class word changes.",
                            label="Class pictures")
    weight: float = option(1.0, "How much the class pictures count. With 0.7 the subject is learned a little better.",
                           min=0.0, max=10.0, label="Prior weight")
    penalty: float = option(0.0, "Keeps what the model draws for the class prompt as it was, without class pictures. "
                            "For methods that add to the model, such as LoRA. 1 is strong; a step takes about twice as "
                            "long.",
                            min=0.0, max=100.0, label="Class prompt penalty")
    pictures: int = option(100, "How many class pictures for each concept. They are drawn once and kept for this "
                           "checkpoint.",
                           min=1, max=10_000, label="Number of class pictures")
    drawing_steps: int = option(20, "Sampling steps of class pictures.", min=1, max=150, advanced=True)
    cfg: float = option(7.0, "How closely class pictures follow their prompt.", min=1.0, max=30.0, label="CFG scale",
                        advanced=True)


@dataclass(frozen=True)
class Training:
    """How long and how fast."""

    steps: int = option(1500, "How many times the weights are updated. About 100 per picture for a person or thing; "
                        "too many steps overfit: the pictures are copied.", min=1, max=1_000_000)
    batch_size: int = option(2, "How many pictures are trained on together. Larger is steadier and needs more memory.",
                             min=1, max=64)
    accumulation: int = option(1, "How many batches are summed before the weights are updated: as steady as a larger "
                               "batch, without its memory.",
                               min=1, max=256, label="Gradient accumulation", advanced=True)
    optimizer: str = option("AdamW", "How the weights are changed. AdamW suits everything; the others need less "
                            "memory, or find the learning rate.", choices=tuple(OPTIMIZERS))
    schedule: str = option("cosine", "How the learning rate falls during training: in a cosine curve or several, in a "
                           "straight line, faster at first, or not at all.",
                           choices=("cosine", "linear", "constant", "cosine with restarts", "polynomial"))
    cycles: int = option(3, "In how many cosine curves the learning rate falls. For cosine with restarts.",
                         min=1, max=100, label="Cosine cycles", advanced=True)
    power: float = option(2.0, "How much faster the learning rate falls at first. 1 is a straight line. For "
                          "polynomial.",
                          min=0.1, max=10.0, label="Polynomial power", advanced=True)
    warmup: float = option(0.05, "Share of the steps in which the learning rate rises from zero.", min=0.0, max=0.5,
                           advanced=True)
    warmup_steps: int = option(0, "The warm-up as a number of steps, which then goes before its share. 0: the share.",
                               min=0, max=1_000_000, label="Warmup in steps", advanced=True)
    weight_decay: float = option(0.01, "Pulls the trained weights towards zero.", min=0.0, max=1.0, advanced=True)
    betas: str = option("", "How long the optimizer remembers, such as 0.9, 0.99. Higher numbers remember longer. "
                        "Empty: its own.", advanced=True)
    epsilon: float = option(0.0, "What the optimizer adds to the size of gradients, such as 1e-8. With a larger one, "
                            "small gradients change less. 0: its own.", min=0.0, max=1.0, small=True, advanced=True)
    clip: float = option(1.0, "Maximum gradient norm. Protects against single extreme steps; 0 is off.",
                         min=0.0, max=100.0, label="Gradient clipping", advanced=True)
    checkpointing: bool = option(True,
                                 "Recompute activations instead of storing them: a third slower, half the memory.",
                                 label="Gradient checkpointing", advanced=True)
    in_backward: bool = option(False, "Update each weight as soon as its gradient is there, and let go of that: saves "
                               "the memory of all gradients, which matters for DreamBooth and Full. Gradients are then "
                               "clipped weight by weight. Not in fp16.",
                               label="Update weights during the backward pass", advanced=True)
    offload: bool = option(False, "Keep most of the UNet in the system's memory, and copy each block to the graphics "
                           "card just before it computes. Saves 1 GB, of Stable Diffusion XL 4 GB, and takes longer "
                           "the slower the card's connection is. For adapters and embeddings; includes gradient "
                           "checkpointing.", label="UNet's blocks in the system's memory", advanced=True)
    measure_every: int = option(0, "Measure the loss on fixed noise every N steps, so that steps and runs can be "
                                "compared. 0: about twenty times in a run, which takes about 3% of its time. More than "
                                "the number of steps: never.",
                                min=0, max=10_000_000, label="Measure every N steps", advanced=True)
    seed: int = option(0, "The same seed, pictures and settings give the same result again.", min=0, max=2**31 - 1)

    @property
    def warming_up(self) -> float:
        """The steps of the warm-up."""
        return self.warmup_steps or self.warmup * self.steps

    @property
    def optimizer_kind(self) -> OptimizerKind:
        return OPTIMIZERS[self.optimizer]

    @property
    def recomputes(self) -> bool:
        """Whether the backward pass computes blocks again."""
        return self.checkpointing or self.offload

    def require_one_by_one(self, rounded: bool) -> None:
        """Raises SettingError where weights are to be updated one by one and cannot be. rounded: they are in bf16."""
        if (self.in_backward or rounded) and not self.optimizer_kind.one_by_one:
            wanted = "training.in_backward" if self.in_backward else "method.bf16"
            raise SettingError(f"{wanted} updates weights one by one, but {self.optimizer} needs all gradients at "
                               "once. Choose another optimizer, or switch it off.")
        if self.in_backward and self.accumulation > 1:
            raise SettingError("training.in_backward keeps no gradients, but training.accumulation sums those of "
                               f"{self.accumulation} batches. Set that to 1, or switch it off.")


@dataclass(frozen=True)
class Saving:
    save_every: int = option(0, "Save a copy every N steps, named name-000500, to compare later. 0: only at the end.",
                             min=0, max=1_000_000, label="Save every N steps")
    autosave_minutes: float = option(5.0, "Keep what was learned every N minutes, so that a crash or a power cut loses "
                                     "no more. The workspace then continues from there. Takes at most 2% of the time. "
                                     "0: never.", min=0.0, max=1440.0, label="Autosave every N minutes", advanced=True)
    cache_limit: float = option(10.0, "How many GB on disk encoded pictures and prompts may take, so that later runs "
                                "start at once. One cache serves all models; what was used longest ago leaves first. "
                                "0: none.", min=0.0, max=100_000.0, label="Cache in GB", advanced=True)
    keep_last: int = option(0, "How many of these copies to keep. 0 keeps all.", min=0, max=1000)
    precision: str = option("fp16", "Number format of the saved file. fp16 has half the size of fp32 and is what most "
                            "people share.",
                            choices=PRECISIONS)


@dataclass(frozen=True)
class Previews:
    """Pictures drawn while training, by the host's own txt2img."""

    prompts: LINES = option((), "One prompt per line. They are drawn with what has been learned so far.")
    preview_every: int = option(0, "Draw previews every N steps. 0: no previews.", min=0, max=1_000_000,
                                label="Preview every N steps")
    preview_steps: int = option(20, "Sampling steps of a preview.", min=1, max=150, advanced=True)
    cfg: float = option(7.0, "How closely previews follow their prompt.", min=1.0, max=30.0, label="CFG scale",
                        advanced=True)
    preview_seed: int = option(1, "The seed of the previews; the same for all, so that they can be compared.",
                               min=0, max=2**32 - 1, advanced=True)
    sampler: str = option("Euler", "The sampler that draws the previews.", advanced=True)
    card: bool = option(True, "Draw a picture for the file's card at the end.", label="Picture for the card",
                        advanced=True)


SECTIONS = {
    "output": Output, "base": Base, "data": Data, "noise": Noise, "prior": Prior, "training": Training,
    "saving": Saving, "previews": Previews
}


@dataclass(frozen=True)
class Run:
    """One run, checked when it is made; inside the program its values are trusted."""

    output: Output = field(default_factory=Output)
    base: Base = field(default_factory=Base)
    concepts: tuple[Concept, ...] = ()
    method: Method = field(default_factory=lambda: methods.all_methods()["lora"]())
    data: Data = field(default_factory=Data)
    noise: Noise = field(default_factory=Noise)
    prior: Prior = field(default_factory=Prior)
    training: Training = field(default_factory=Training)
    saving: Saving = field(default_factory=Saving)
    previews: Previews = field(default_factory=Previews)

    def with_values(self, values: Mapping[str, Any]) -> "Run":
        """This run with some settings changed: {"training": {"steps": 5}}. Raises SettingError."""
        return from_dict(merge_values(to_dict(self), values))


def from_dict(values: Mapping[str, Any]) -> Run:
    """A run from nested loose values, as a TOML file holds them. Raises SettingError."""
    values = without_old_answers(values)
    known = {*SECTIONS, "concepts", "method"}
    for name in values:
        if name not in known:
            raise SettingError(f"[{brief(name)}] is not a section. Known: {', '.join(sorted(known))}.")
    sections: dict[str, Any] = {
        name: build(cls, as_section(values.get(name, {}), name), name)
        for name, cls in SECTIONS.items()
    }
    concepts = values.get("concepts", ())
    if not isinstance(concepts, (list, tuple)):
        raise SettingError("concepts must be a list: write [[concepts]] before each of them.")
    concepts = tuple(build(Concept, as_section(c, "concepts"), "concepts") for c in concepts)
    return Run(**sections, concepts=concepts, method=build_method(as_section(values.get("method", {}), "method")))


def without_old_answers(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Files of older versions hold, as settings, what runs/start.py asks now."""
    output = values.get("output")
    if not isinstance(output, Mapping):
        return values
    return {**values, "output": {name: value for name, value in output.items() if name not in OLD_ANSWERS}}


def as_section(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise SettingError(f"{name} must be a section of settings, but is {shown(value)}.")
    return value


def build_method(values: Mapping[str, Any]) -> Method:
    values = dict(values)
    return build(method_class(values.pop("name", "lora")), values, "method")


def method_class(name: Any) -> type[Method]:
    """Raises SettingError."""
    found = methods.all_methods()
    if to_str(name, "method.name") not in found:
        raise SettingError(f"method.name is {shown(name)}, but must be one of {', '.join(found)}.")
    return found[to_str(name, "method.name")]


def to_dict(run: Run) -> dict[str, Any]:
    """The run as nested plain values; from_dict gives it back."""
    out: dict[str, Any] = {name: asdict(getattr(run, name)) for name in SECTIONS}
    out["concepts"] = [asdict(c) for c in run.concepts]
    out["method"] = {"name": run.method.name, **{o.name: getattr(run.method, o.name) for o in options(run.method)}}
    return out


def merge_values(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """values with changes put over them, section by section. Another method begins with its own defaults."""
    out = dict(values)
    for name, change in changes.items():
        old = out.get(name)
        if isinstance(change, Mapping) and isinstance(old, Mapping):
            other = name == "method" and change.get("name", old.get("name")) != old.get("name")
            change = change if other else {**old, **change}
        out[name] = change
    return out


def require_startable(run: Run) -> Run:
    """The run, if it says enough to be started; raises SettingError with what is missing."""
    try:
        name = checked_file_name(run.output.name)
    except NameProblem as problem:
        raise SettingError(f"output.name: {problem}") from None
    precisions = run.method.safe_precisions()
    if run.saving.precision not in precisions:
        raise SettingError(f"saving.precision is {run.saving.precision}, but the WebUI applies a {run.method.title} "
                           f"file correctly only in {' or '.join(precisions)}.")
    if not run.base.checkpoint:
        raise SettingError("base.checkpoint is empty. Choose the checkpoint to train on.")
    if not run.concepts or not all(c.folder for c in run.concepts):
        raise SettingError("concepts.folder is empty. Choose the folder that holds your pictures.")
    run.training.optimizer_kind.called_with(run.training.betas, run.training.epsilon)
    run.training.require_one_by_one(run.method.rounded)
    if run.training.optimizer_kind.averages and run.method.averages:
        raise SettingError(f"{run.training.optimizer} averages the steps itself. Set method.ema to 0, or choose "
                           "another optimizer.")
    if run.training.offload and run.method.trains_model:
        raise SettingError(f"training.offload keeps weights off the graphics card, but {run.method.title} trains them "
                           "all. Choose an adapter such as LoRA, or switch it off.")
    run.noise.require_range()
    if run.prior.penalty and not all(c.class_prompt for c in run.concepts):
        raise SettingError("prior.penalty holds the class prompt, but a concept has none. Say what things of its kind "
                           "are called, such as 'a ghost', or set it to 0.")
    return replace(run, output=replace(run.output, name=name))


WEIGHT_BRACKETS = "()[]"


def new_words_of(run: Run) -> tuple[NewWord, ...]:
    """The concepts' new words, each the name of a file; the first is the output's where it has none.

    Raises SettingError.
    """
    names = [c.word or (run.output.name if n == 0 else "") for n, c in enumerate(run.concepts)]
    if not all(names) or len(set(names)) < len(names):
        raise SettingError("Every concept needs a word of its own. Give each its 'Word', under Concepts.")
    for name in names:
        if found := sorted({letter for letter in name if letter in WEIGHT_BRACKETS}):
            raise SettingError(f"The word {name!r} has {' '.join(found)}, which weigh words in a prompt, so it could "
                               "not be called there. Choose another.")
    try:
        return tuple(NewWord(checked_file_name(name, "word"), c.class_prompt.replace(FILEWORDS, ""))
                     for name, c in zip(names, run.concepts))
    except NameProblem as problem:
        raise SettingError(f"concepts.word: {problem}") from None


def all_sections() -> dict[str, type]:
    """Every section that a person may set, methods included, by the name used in files."""
    out: dict[str, type] = {**SECTIONS, "concepts": Concept}
    out.update({f"method ({name})": cls for name, cls in methods.all_methods().items()})
    return out
