"""What a UNet predicts, and whether its noise schedule ends without signal."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Prediction:
    kind: str  # "eps": the noise; "v": velocity (Salimans & Ho, 2022, arXiv:2202.00512)
    zero_snr: bool = False  # whether the schedule ends with zero terminal SNR (Lin et al., 2023, arXiv:2305.08891)

    @property
    def title(self) -> str:
        return next(title for title, one in CHOICES.items() if one == self)

    @property
    def defaults(self) -> dict[str, dict[str, object]]:
        """Settings that suit it: min-SNR would leave out the end of the schedule, which has no signal."""
        return {"noise": {"weighting": "none"}} if self == Prediction("v", True) else {}


FROM_FILE = "from the file"
CHOICES: dict[str, "Prediction | None"] = {
    FROM_FILE: None, "epsilon": Prediction("eps"), "epsilon, zero terminal SNR": Prediction("eps", True),
    "v": Prediction("v"), "v, zero terminal SNR": Prediction("v", True)}
