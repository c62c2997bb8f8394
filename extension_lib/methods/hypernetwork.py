"""HyperNetworks: small networks before the keys and values of attention, as the WebUI applies them (NovelAI, 2022)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from ..model import Layer, Model
from ..settings import SettingError, option
from ..support.seeds import seeded_torch
from .base import Method, NewWord, ParameterGroup, Trainable
from .layer import AttachedToLayers, Dropout, attach_before, load_tensors
from .product import HYPERNETWORK, Product

KEYS_OR_VALUES = re.compile(r".+\.attn[12]\.to_([kv])$")
ACTIVATIONS: dict[str, type[nn.Module]] = {
    "linear": nn.Identity,
    "relu": nn.ReLU,
    "leakyrelu": nn.LeakyReLU,
    "elu": nn.ELU,
    "swish": nn.Hardswish,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softsign": nn.Softsign,
    "mish": nn.Mish,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "selu": nn.SELU,
    "celu": nn.CELU,
    "softplus": nn.Softplus,
    "relu6": nn.ReLU6,
    "hardtanh": nn.Hardtanh,
}
QUIET = "Quiet"  # not among the WebUI's: Kaiming with a last layer of zeros, which changes nothing at the start
INITIALS = {
    "Normal": lambda w: nn.init.normal_(w, 0.0, 0.01),
    "XavierUniform": nn.init.xavier_uniform_,
    "XavierNormal": nn.init.xavier_normal_,
    "KaimingUniform": lambda w: nn.init.kaiming_uniform_(w, nonlinearity="relu"),
    "KaimingNormal": lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu"),
}
PAIR = ("k", "v")


@dataclass(frozen=True)
class NetworkStructure:
    """How each of the small networks is built. All of it is written into the file."""

    structure: tuple[float, ...] = (1, 2, 1)  # width of each layer, as multiples of what goes in
    activation: str = "linear"
    layer_norm: bool = False
    activate_output: bool = False
    dropout: tuple[float, ...] = (0, 0, 0)  # after each layer; begins and ends with 0

    def module(self, size: int) -> "ResidualNetwork":
        return ResidualNetwork(size, self)


class ResidualNetwork(nn.Module):
    """x + f(x). The layers' numbers in the sequence are part of the format: an activation or dropout takes one too."""

    def __init__(self, size: int, form: NetworkStructure):
        super().__init__()
        layers: list[nn.Module] = []
        last = len(form.structure) - 2
        for n, (before, after) in enumerate(zip(form.structure, form.structure[1:])):
            layers.append(nn.Linear(int(size * before), int(size * after)))
            if form.activation != "linear" and (n < last or form.activate_output):
                layers.append(ACTIVATIONS[form.activation]())
            if form.layer_norm:
                layers.append(nn.LayerNorm(int(size * after)))
            if form.dropout[n + 1] > 0:
                layers.append(Dropout(form.dropout[n + 1]))
        self.linear = nn.Sequential(*layers)

    def forward(self, x: Tensor, strength: float = 1.0) -> Tensor:
        return x + strength * self.linear(x)


@dataclass(frozen=True)
class Hypernetwork(Method):
    """Small networks that change what each attention layer reads from the prompt: <hypernet:name:1>. An older method
    that suits styles; files of 80 to 200 MB. Learns slowly, and breaks at high learning rates."""

    name: ClassVar[str] = "hypernetwork"
    title: ClassVar[str] = "HyperNetwork"
    order: ClassVar[int] = 130
    product: ClassVar[Product] = HYPERNETWORK
    precisions: ClassVar[tuple[str, ...]] = ("fp32",)
    prefers: ClassVar[dict[str, dict[str, Any]]] = {
        "training": {"steps": 8000, "weight_decay": 0.0}, "saving": {"precision": "fp32"}}

    rate: float = option(5e-6, "Learning rate. Above 5e-5 the network breaks on full-sized checkpoints.", min=0.0,
                         max=1.0, label="Learning rate", small=True)
    structure: str = option("1, 2, 1",
                            "Width of each layer as a multiple of the input's width; starts and ends with 1.",
                            label="Layer structure")
    activation: str = option("swish", "The activation function between the layers.", choices=tuple(ACTIVATIONS))
    initial: str = option(QUIET, "How the weights are initialized. Quiet changes nothing at first; the others are the "
                          "WebUI's.",
                          choices=(QUIET, *INITIALS), label="Initialization")
    layer_norm: bool = option(False, "Layer normalization after each layer.", label="Layer norm", advanced=True)
    activate_output: bool = option(False, "An activation after the last layer too. With some activations the network "
                                   "then starts with an effect.", advanced=True)
    dropout: str = option("0, 0, 0", "Dropout after each layer: as many numbers as the structure has, starting and "
                          "ending with 0.",
                          advanced=True)
    sizes: str = option("", "Which widths of attention layers get a network, such as 1280, 640. Empty: all that the "
                        "checkpoint has.",
                        label="Sizes", advanced=True)

    def form(self) -> NetworkStructure:
        """Raises SettingError."""
        structure, dropout = parse_numbers(self.structure,
                                           "method.structure"), parse_numbers(self.dropout, "method.dropout")
        if len(structure) < 2 or structure[0] != 1 or structure[-1] != 1 or min(structure) <= 0:
            raise SettingError(f"method.structure is {self.structure!r}, but must begin and end with 1, such as '1, 2, "
                               "1'.")
        if not any(dropout):
            dropout = (0.0,) * len(structure)
        if len(dropout) != len(structure) or dropout[0] or dropout[-1] or not all(0 <= d < 1 for d in dropout):
            raise SettingError(f"method.dropout is {self.dropout!r}, but must be {len(structure)} numbers below 1, "
                               "the first and last 0.")
        return NetworkStructure(structure, self.activation, self.layer_norm, self.activate_output, dropout)

    def attach(self, model: Model, seed: int, words: tuple[NewWord, ...] = ()) -> Trainable:
        return Networks(model, self, seed)


def parse_numbers(text: str, where: str) -> tuple[float, ...]:
    try:
        found = tuple(float(part) for part in re.split(r"[,;\s]+", text.strip()) if part)
    except ValueError:
        raise SettingError(f"{where} is {text!r}, but must be numbers, such as '1, 2, 1'.") from None
    return tuple(int(n) if n == int(n) else n for n in found)


def attention_layers(layers: list[Layer]) -> list[tuple[Layer, str, int]]:
    """The layers that make keys and values, which of the two, and the width they take."""
    found = ((layer, KEYS_OR_VALUES.match(layer.path)) for layer in layers)
    return [(layer, match[1], layer.shape[1]) for layer, match in found if match]


class Networks(AttachedToLayers):
    """A trainable: for each width a network for keys and one for values."""

    def __init__(self, model: Model, method: Hypernetwork, seed: int):
        self.rate, self.form, self.initial = method.rate, method.form(), method.initial
        self.parts = frozenset({"unet"})
        layers = attention_layers(model.layers())
        wanted = {int(n) for n in parse_numbers(method.sizes, "method.sizes")} or {size for *_, size in layers}
        if missing := wanted - {size for *_, size in layers}:
            known = ", ".join(str(s) for s in sorted({size for *_, size in layers}))
            raise SettingError(f"method.sizes has {min(missing)}, but this checkpoint's attention takes {known}.")
        self.networks: dict[tuple[int, str], ResidualNetwork] = {}
        for size in sorted(wanted):
            for which in PAIR:
                with seeded_torch("hypernetwork", seed, size, which, devices=[]):
                    self.networks[size, which] = initialize(self.form.module(size),
                                                            method.initial).to(model.device).train()
        self.undo_hooks = [attach_before(layer.module, self.input_hook(self.networks[size, which]))
                           for layer, which, size in layers if size in wanted]

    def input_hook(self, network: ResidualNetwork) -> Callable[[Tensor], Tensor]:
        return lambda x: x if self.silent else network(x)

    def groups(self) -> list[ParameterGroup]:
        return [ParameterGroup("hypernetwork", self.rate, [p for n in self.networks.values() for p in n.parameters()])]

    def state_dict(self) -> dict[str, Tensor]:
        return {
            f"{size}.{which}.{name}": p
            for (size, which), net in self.networks.items()
            for name, p in net.named_parameters()
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        load_tensors(self.state_dict(), state)

    def file_tensors(self) -> dict[str, Tensor]:
        return {name: p.detach() for name, p in self.state_dict().items()}

    def deltas(self) -> dict[str, Tensor]:
        return {}


def initialize(network: ResidualNetwork, initial: str) -> ResidualNetwork:
    linears = [m for m in network.linear if isinstance(m, nn.Linear)]
    for linear in linears:
        INITIALS["KaimingUniform" if initial == QUIET else initial](linear.weight)
        nn.init.zeros_(linear.bias)
    norms = [m for m in network.linear if isinstance(m, nn.LayerNorm)]
    for norm in norms:
        nn.init.normal_(norm.weight, 0.0, 0.01)  # as the WebUI initializes them
    if initial == QUIET:  # a norm after the last layer would scale the smallest output to full length
        nn.init.zeros_((norms or linears)[-1].weight)
    return network
