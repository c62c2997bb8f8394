"""Settings of noise and loss: what noise is added, at which levels, and how an error counts."""

from dataclasses import dataclass

from ..settings import SettingError, option

LOSSES = {"squared": "l2", "Huber": "huber", "smooth L1": "smooth_l1"}  # and what kohya's scripts call them
MOST_LEVELS = 10  # of multi-resolution noise; the last has one place, for pictures of up to 4096 pixels
TIMESTEPS = 1000  # of every family's schedule; the last one is the noisiest


@dataclass(frozen=True)
class Noise:
    """What is learned at which noise level."""

    weighting: str = option("min-snr", "How much each noise level counts. min-snr balances them and suits most; none "
                            "is the plain loss.", choices=("none", "min-snr", "debiased"))
    min_snr_gamma: float = option(5.0, "Where min-snr cuts off. A lower value gives less weight to low noise.", min=0.1,
                                  max=50.0, label="Min-SNR gamma", advanced=True)
    loss: str = option("squared", "How an error counts. With Huber and smooth L1, large errors count less: for many "
                       "pictures of which some are bad or wrongly captioned. Smooth L1 also gives high noise more "
                       "weight.",
                       choices=tuple(LOSSES), advanced=True)
    huber_c: float = option(0.1, "From which error on Huber and smooth L1 count less. A lower value lets more errors "
                            "count less.", min=0.001, max=1.0, label="Huber c", advanced=True)
    huber_schedule: str = option("snr", "Where Huber c holds. snr and exponential: at high noise, and towards 1 at low "
                                 "noise, so that details are learned as with squared. constant: at every noise level.",
                                 choices=("snr", "exponential", "constant"), advanced=True)
    noise_offset: float = option(0.0, "Adds noise to the brightness of the whole picture, so that very dark and very "
                                 "bright pictures can be learned. 0.03 to 0.05 is usual.",
                                 min=0.0, max=1.0, advanced=True)
    multires_levels: int = option(0, "Adds coarser noise of up to so many sizes, so that large areas of light and "
                                  "dark are learned. Instead of noise offset, if that is not enough. 6 is usual; 0 is "
                                  "off.",
                                  min=0, max=MOST_LEVELS, label="Multi-resolution noise levels", advanced=True)
    multires_discount: float = option(0.3, "How strong each coarser noise is against the finer one. 0.3 does about as "
                                      "much as a noise offset of 0.02; 0.5 is strong.", min=0.01, max=1.0,
                                      label="Multi-resolution noise discount", advanced=True)
    input_perturbation: float = option(0.0, "Adds noise that the model is not asked to predict, so that it learns to "
                                       "mend its own errors. 0.1 for long trainings; it blurs if it is too strong.",
                                       min=0.0, max=1.0, advanced=True)
    min_timestep: int = option(0, "The lowest noise that is trained on. A higher value leaves fine details as the "
                               "checkpoint has them.", min=0, max=TIMESTEPS - 1, advanced=True)
    max_timestep: int = option(TIMESTEPS, "Training stays below this noise. A lower value leaves composition as the "
                               "checkpoint has it: for details and textures.", min=1, max=TIMESTEPS, advanced=True)

    def require_range(self) -> None:
        """Raises SettingError where no timestep is left to train on."""
        if self.min_timestep >= self.max_timestep:
            raise SettingError(f"noise.min_timestep is {self.min_timestep}, but must be lower than noise.max_timestep, "
                               f"which is {self.max_timestep}.")
