"""The optimisers that can be chosen, a line of data for each: what makes it, what it takes, what it remembers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..settings import SettingError, shown


@dataclass(frozen=True)
class OptimizerKind:
    """made_by: module and class; package: what provides it, where the host does not have it anyway."""

    name: str
    made_by: str
    help: str
    state: float  # bytes that it remembers for each number of a large matrix
    package: str = ""
    betas: tuple[float, ...] = (0.9, 0.999)  # its own
    epsilon: bool = True  # whether it takes one
    arguments: Mapping[str, Any] = field(default_factory=dict)
    numbers: tuple[str, ...] = ()  # what it remembers of a whole group
    needs_cuda: bool = False
    finds_rate: bool = False  # it knows one rate for all groups, and estimates it as "d"
    averages: bool = False  # what was learned is an average of its steps, which its eval() puts in place

    @property
    def one_by_one(self) -> bool:
        """Whether it moves each weight by that weight's gradient alone, so that it can do so as soon as this is
        there."""
        return not self.numbers

    @property
    def module(self) -> str:
        return self.made_by.partition(":")[0]

    def called_with(self, betas: str, epsilon: float) -> dict[str, Any]:
        """What its class is called with; betas that are not given are its own. Raises SettingError."""
        given = parse_betas(betas)
        if len(given) > len(self.betas):
            raise SettingError(f"training.betas has {len(given)} numbers, but {self.name} takes {len(self.betas)}. "
                               "Leave it empty for its own.")
        if epsilon and not self.epsilon:
            raise SettingError(f"training.epsilon is {epsilon:g}, but {self.name} takes none. Set it to 0.")
        return {**self.arguments, **({"betas": (*given, *self.betas[len(given):])} if self.betas else {}),
                **({"eps": epsilon} if epsilon else {})}


def parse_betas(text: str) -> tuple[float, ...]:
    """Raises SettingError."""
    try:
        numbers = tuple(map(float, text.replace(",", " ").split()))
    except ValueError:
        numbers = (-1.0,)
    if not all(0 <= number < 1 for number in numbers):
        raise SettingError(f"training.betas is {shown(text)}, but must be numbers from 0 to below 1, such as 0.9, "
                           "0.99, or empty.")
    return numbers


FOLLOWING_THE_RATE = {"scale_parameter": False, "relative_step": False}  # else Adafactor chooses one itself
FOR_DIFFUSION = {"use_bias_correction": True, "safeguard_warmup": True}  # as Prodigy's authors advise

OPTIMIZERS = {kind.name: kind for kind in (
    OptimizerKind("AdamW", "torch.optim:AdamW", "Suits everything.", 8),
    OptimizerKind("AdamW 8 bit", "bitsandbytes.optim:AdamW8bit", "AdamW with a quarter of its memory, and the same "
                  "learning rates.", 2.04, "bitsandbytes"),
    OptimizerKind("AdamW 8 bit paged", "bitsandbytes.optim:PagedAdamW8bit", "As AdamW 8 bit; where the graphics card "
                  "is full, it uses the main memory. NVIDIA cards only.", 2.04, "bitsandbytes", needs_cuda=True),
    OptimizerKind("Adafactor", "transformers.optimization:Adafactor", "Remembers a row and a column for each matrix, "
                  "so it needs the least memory. AdamW's learning rates.", 0.02, betas=(), epsilon=False,
                  arguments=FOLLOWING_THE_RATE),
    OptimizerKind("Lion", "lion_pytorch:Lion", "Half of AdamW's memory. Use a third to a tenth of AdamW's learning "
                  "rate.", 4, "lion-pytorch", betas=(0.9, 0.99), epsilon=False),
    OptimizerKind("Prodigy", "prodigyopt:Prodigy", "Finds the learning rate itself, in about the first 100 steps; the "
                  "curve shows it. The rates you set count only relative to each other: the highest gets the rate that "
                  "is found. Twice AdamW's memory.", 16,
                  "prodigyopt", betas=(0.9, 0.99), arguments=FOR_DIFFUSION, finds_rate=True,
                  numbers=("d", "d_max", "d_numerator", "k")),
    OptimizerKind("AdamW schedule-free", "schedulefree:AdamWScheduleFree", "The learning rate need not fall: what is "
                  "drawn and saved is an average of all steps. The schedule is not used, the warm-up is. AdamW's "
                  "memory and learning rates, or higher ones.", 8, "schedulefree",
                  numbers=("k", "weight_sum", "lr_max"), averages=True),
    OptimizerKind("CAME", "came_pytorch:CAME", "As steady as AdamW with half of its memory. Use a third to the whole "
                  "of AdamW's learning rate.", 4.04, "came-pytorch", betas=(0.9, 0.999, 0.9999), epsilon=False),
)}
