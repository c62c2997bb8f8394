"""What a checkpoint is: its family, and what its UNet predicts."""

from collections.abc import Mapping
from dataclasses import dataclass

from .family import Family
from .prediction import Prediction


@dataclass(frozen=True)
class CheckpointKind:
    """prediction: None where the file says nothing."""

    family: Family
    prediction: Prediction | None

    @property
    def defaults(self) -> tuple[Mapping[str, Mapping[str, object]], ...]:
        """Settings that suit it, in layers of which the later goes before."""
        return self.family.defaults, self.prediction.defaults if self.prediction else {}
