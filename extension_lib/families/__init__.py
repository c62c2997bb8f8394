"""What a model family is, as data; one file each."""

from .family import Family
from .sd1 import SD1
from .sd2 import SD2
from .sdxl import SDXL

FAMILIES: tuple[Family, ...] = (SD1, SD2, SDXL)
