"""A training stage that saves its whole state now and then, and goes on from there when started again."""

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

WORK = Path(__file__).parent / "work"  # intermediate files; not part of the project
SAVE_EVERY_SECONDS = 240


class Ema:
    """Exponential moving average of a module's parameters; the decay rises from 0 as steps go by."""

    def __init__(self, module: torch.nn.Module, decay: float):
        self.decay = decay
        self.values = {k: v.detach().clone() for k, v in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: torch.nn.Module, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        for key, value in module.state_dict().items():
            if value.is_floating_point():
                self.values[key].lerp_(value, 1 - decay)
            else:
                self.values[key].copy_(value)


class Stage:
    """Keeps modules, optimiser, averages and the step count in one file under work/."""

    def __init__(self, name: str, modules: dict[str, torch.nn.Module], optimizer: torch.optim.Optimizer, ema: float):
        self.file = WORK / f"{name}.pt"
        self.modules, self.optimizer, self.step, self.seconds = modules, optimizer, 0, 0.0
        self.averages = {k: Ema(m, ema) for k, m in modules.items()}
        if self.file.exists():
            self.load()

    def load(self) -> None:
        state = torch.load(self.file, weights_only=True)
        for key, module in self.modules.items():
            module.load_state_dict(state["modules"][key])
            self.averages[key].values = state["averages"][key]
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]

    def save(self) -> None:
        self.file.parent.mkdir(exist_ok=True)
        part = self.file.with_suffix(".part")
        torch.save({"modules": {k: m.state_dict() for k, m in self.modules.items()},
                    "averages": {k: a.values for k, a in self.averages.items()},
                    "optimizer": self.optimizer.state_dict(), "step": self.step, "seconds": self.seconds}, part)
        part.replace(self.file)

    def run(self, steps: int, rate: Callable[[float], float], loss_at: Callable[[int], torch.Tensor]) -> Iterator[str]:
        """Trains up to the given step; yields a line of progress now and then.

        rate: learning rate as a function of the share of steps done. loss_at: the loss of a step.
        """
        saved, recent = time.monotonic(), []
        while self.step < steps:
            started = time.monotonic()
            for group in self.optimizer.param_groups:
                group["lr"] = rate(self.step / steps)
            loss = loss_at(self.step)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            for module in self.modules.values():
                torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            self.optimizer.step()
            for key, module in self.modules.items():
                self.averages[key].update(module, self.step)
            self.step += 1
            self.seconds += time.monotonic() - started
            recent.append(loss.item())
            if self.step % 100 == 0:
                left = self.seconds / self.step * (steps - self.step) / 60
                yield f"{self.file.stem} {self.step}/{steps}  loss {sum(recent) / len(recent):.4f}  {left:.0f} min left"
                recent = []
            if time.monotonic() - saved > SAVE_EVERY_SECONDS or self.step == steps:
                self.save()
                saved = time.monotonic()
        for key, module in self.modules.items():
            module.load_state_dict(self.averages[key].values)


def cosine(peak: float, warmup: float = 0.03, floor: float = 0.02) -> Callable[[float], float]:
    """Linear warm-up to the peak, then a cosine down to floor times the peak."""
    def rate(share: float) -> float:
        if share < warmup:
            return peak * (share + 1e-3) / (warmup + 1e-3)
        swing = math.cos((share - warmup) / (1 - warmup) * math.pi)
        return peak * (floor + (1 - floor) * (1 + swing) / 2)
    return rate
