"""Tensors by name, each made when it is asked for: all at once they may be as large as the model."""

from collections.abc import Callable, Iterator, Mapping

from torch import Tensor


class LazyTensors(Mapping[str, Tensor]):
    """A mapping that keeps how its tensors are made, and none of them."""

    def __init__(self, makers: Mapping[str, Callable[[], Tensor]]):
        self.makers = dict(makers)

    def __getitem__(self, name: str) -> Tensor:
        return self.makers[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self.makers)

    def __len__(self) -> int:
        return len(self.makers)
