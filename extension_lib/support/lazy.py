"""Tensors by name, each computed when it is used: all together may be as large as the model."""

from collections.abc import Callable, Iterator, Mapping

from torch import Tensor


class LazyTensors(Mapping[str, Tensor]):
    """A mapping that stores functions, and calls them for its tensors."""

    def __init__(self, makers: Mapping[str, Callable[[], Tensor]]):
        self.makers = dict(makers)

    def __getitem__(self, name: str) -> Tensor:
        return self.makers[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self.makers)

    def __len__(self) -> int:
        return len(self.makers)
