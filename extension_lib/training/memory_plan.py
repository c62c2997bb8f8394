"""How much memory a run will take at its peak, reckoned by a step with shapes alone."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from .. import memory
from ..config.run import Run, Training
from ..data.folder import Item
from ..methods.base import NewWord, ParameterGroup, Trainable
from ..model import Model
from ..support.forms import RememberedForms
from ..support.live import LiveTensors
from ..support.meta import OnMeta
from .checkpointing import gradient_checkpointing
from .largest_batch import LargestBatch, largest_batch
from .optimizer import Optimizer
from .step_loss import batch_loss

CONTEXT = 512 * 2**20  # of CUDA itself and of its libraries' workspaces
IN_KERNELS = "bitsandbytes"  # it computes where no shape is seen, and needs next to nothing besides what it remembers
TITLES = {"weights": "Checkpoint", "trained": "What is trained", "gradients": "Its gradients", "optimizer": "Optimizer",
          "activations": "A step", "encoding": "Encoding pictures", "preview": "Drawing a preview",
          "context": "CUDA and its libraries"}
SMALL, ITS_STATE = 4096, 8  # numbers of a weight that it remembers in fp32, and in how many bytes each


@dataclass(frozen=True)
class MemoryPlan:
    """Bytes of a run on its device at its peak, part by part."""

    weights: int  # of the checkpoint, as far as they stay on the device and are not trained themselves
    trained: int
    gradients: int
    optimizer: int  # what it remembers
    activations: int  # the rest of a step at its peak: what its backward pass needs, and what comes and goes
    encoding: int  # by how much encoding a picture is above the peak of a step
    preview: int  # by how much drawing a picture is above both
    context: int  # allowed for the device's own libraries

    @property
    def total(self) -> int:
        return sum(getattr(self, part.name) for part in fields(self))

    @property
    def parts(self) -> list[tuple[str, int]]:
        """Their titles and bytes, as far as they take any."""
        return [(title, getattr(self, name)) for name, title in TITLES.items() if getattr(self, name)]

    @property
    def in_words(self) -> str:
        return ", ".join(f"{title} {memory.amount(size)}" for title, size in self.parts)

    @property
    def needed(self) -> int:
        """Without previews: one that cannot be drawn does not end a run."""
        return self.total - self.preview


def memory_plan(run: Run, model: Model, items: Sequence[Item], words: tuple[NewWord, ...] = ()) -> MemoryPlan:
    """The plan of a run on this model, to which nothing is attached; items are all its pictures.

    Raises what Method.attach does.
    """
    device, batch = model.device, largest_batch(run, model, items)
    sizes = {**model.sizes(), "unet": size_of_unet(run, model)}
    held = model.held() - model.sizes()["unet"] + sizes["unet"]
    drawing_parts = max(held, *sizes.values())  # in low-memory modes they come one by one
    stays = device.type == "cpu" or run.data.crops_vary
    encoding_parts = sum(size for part, size in sizes.items() if part != "unet" or stays)
    with model.weightless(), RememberedForms(), OnMeta(model.compute, device) as mode:
        own = {id(weight.parameter): weight.parameter.detach() for weight in model.weights()}
        with mode.zeros, LiveTensors() as attached:
            trainable = run.method.attach(model, run.training.seed, words)
        try:
            mode.compute_in(model.compute)
            step = Step(run, model, trainable, batch, mode)
            of_model = [(p, own[id(p)]) for p in step.parameters if id(p) in own]
            within = bytes_of(now for now, before in of_model if same_storage(now, before))
            replaced = bytes_of(before for now, before in of_model if not same_storage(now, before))
            fixed = sum(sizes[part] for part in staying(run, trainable, model, device))
            added = attached.now() - replaced
            optimizer = step.optimizer()
            remembered = step.remembered(optimizer)
            working, gradients = step.peak(optimizer)
            stepping = fixed + added + remembered + working
            encoding = encoding_parts + added + remembered * run.data.crops_vary + step.encoding_peak()
            drawing = drawing_parts + added + remembered + step.drawing_peak() if drawn(run) else 0
            trained = added + within + replaced
            return MemoryPlan(
                weights=fixed + added - trained, trained=trained, gradients=gradients, optimizer=remembered,
                activations=working - gradients, encoding=max(0, encoding - stepping),
                preview=max(0, drawing - max(stepping, encoding)), context=CONTEXT if device.type == "cuda" else 0)
        finally:
            trainable.detach()


def size_of_unet(run: Run, model: Model) -> int:
    """Where its blocks wait elsewhere, two of them are on the device besides the rest."""
    whole, blocks = model.sizes()["unet"], model.block_sizes()
    if not run.training.offload:
        return whole
    copies = sum(sorted(blocks)[-2:])
    return whole + copies - (0 if model.device.type == "cpu" else sum(blocks))


def staying(run: Run, trainable: Trainable, model: Model, device: torch.device) -> list[str]:
    """The parts of the model that stay where it is trained; Batches.prepare moves the others off a graphics card."""
    everything = device.type == "cpu"
    text = everything or run.data.captions_vary or trainable.parts & model.family.text_parts
    return ["unet", *(["te"] if text else []), *(["vae"] if everything or run.data.crops_vary else [])]


def drawn(run: Run) -> bool:
    return bool(run.previews.preview_every or run.previews.card)


def bytes_of(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def same_storage(one: Tensor, other: Tensor) -> bool:
    return one.untyped_storage()._cdata == other.untyped_storage()._cdata


class ShapeOptimizer(Optimizer):
    """On the meta device. in_kernels: it computes where no shape is seen."""

    def __init__(self, groups: list[ParameterGroup], training: Training, mode: OnMeta):
        self.in_kernels, self.mode = training.optimizer_kind.package == IN_KERNELS, mode
        if self.in_kernels:
            training = replace(training, optimizer="AdamW", betas="", epsilon=0.0)
        super().__init__(groups, training, scaled=False)
        for group in self.groups if mode.device.type == "cuda" else ():
            group.update({"foreach": True} if "foreach" in group else {})  # torch's own choice there

    def update_at_once(self, step: int, weight: Any) -> None:
        with self.mode:  # which a backward pass leaves
            super().update_at_once(step, weight)

    def move(self, learning: list[dict[str, Any]]) -> None:
        if not self.in_kernels:
            super().move(learning)


@dataclass(frozen=True)
class Step:
    """A step on the meta device."""

    run: Run
    model: Model
    trainable: Trainable
    batch: LargestBatch
    mode: OnMeta

    @property
    def parameters(self) -> list[Tensor]:
        return [p for group in self.trainable.groups() for p in group.parameters]

    def optimizer(self) -> ShapeOptimizer:
        """With which everything learns."""
        groups = [replace(group, span=(0.0, 1.0)) for group in self.trainable.groups()]
        return ShapeOptimizer(groups, self.run.training, self.mode)

    def remembered(self, optimizer: ShapeOptimizer) -> int:
        """What it has after a step."""
        if optimizer.in_kernels:
            kind = self.run.training.optimizer_kind
            return int(sum(p.numel() * (ITS_STATE if p.numel() < SMALL else kind.state) for p in self.parameters))
        with LiveTensors() as live:
            with optimizer.during(0):
                optimizer.backward(torch.stack([p.sum().float() for p in self.parameters]).sum())
            optimizer.step(0)
            return live.now()

    def peak(self, optimizer: ShapeOptimizer) -> tuple[int, int]:
        """Of all that a step makes, and of this the gradients that it keeps for its end; where batches are accumulated,
        with those of the batches before.
        """
        checkpointing = gradient_checkpointing(self.model, self.run.training.recomputes, again=lambda: self.mode)
        with older_checkpoint(), checkpointing, LiveTensors() as live:
            with optimizer.during(0):
                for number in range(min(self.run.training.accumulation, 2)):
                    text_trained = bool(self.trainable.parts & self.model.family.text_parts)
                    batch = self.batch.made(self.run, self.model, text_trained)
                    with self.mode.caching():
                        loss = batch_loss(self.run, self.model, self.trainable, batch, number).total
                    optimizer.backward(loss)
            gradients = bytes_of(p.grad for p in self.parameters if p.grad is not None)
            optimizer.step(0)
        return live.highest, gradients

    def drawing_peak(self) -> int:
        """Of making a picture from its latents, which takes more than computing these."""
        latents = self.batch.latents(self.model, 1)
        with self.mode.overflowing(self.model.family.vae_overflows), LiveTensors() as live:
            self.model.decode(latents)
        return live.highest

    def encoding_peak(self) -> int:
        with self.mode.overflowing(self.model.family.vae_overflows), LiveTensors() as live:
            self.model.encode_images(self.batch.pixels(self.model))
        return live.highest


@contextmanager
def older_checkpoint() -> Iterator[None]:
    """torch 2.1 looks for a module of each kind of device, as torch.cuda, and has none for "meta"."""
    if hasattr(torch, "meta") or not torch.__version__.startswith("2.1"):
        yield
        return
    torch.meta = torch.cpu  # type: ignore[attr-defined]
    try:
        yield
    finally:
        del torch.meta  # type: ignore[attr-defined]
