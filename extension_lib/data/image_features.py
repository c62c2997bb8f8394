"""How sharp a picture is, and a hash by which its copies are known; both from small grey pictures."""

from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

from .crops import fitted

Array = np.ndarray
WINDOW = 9  # pixels over which an edge's height is taken
STRONG, LEAST = 0.5, 20  # an edge counts from this share of the picture's highest ones on, and from so many grey levels
ENOUGH = 0.002  # share of pixels that must lie beside such an edge before anything is said
SHARPEST = 25  # per cent of the edges by which a picture is judged: its background may well be out of focus
SIDE, KEPT = 32, 12  # edge of the thumbnail, and how many of its lowest frequencies are kept either way


def edge_width(image: Image.Image, size: tuple[int, int]) -> float | None:
    """Pixels over which the sharper edges spread when the picture is trained in this size; None where it has no edges.

    About 1.5 in a sharp picture, 2.5 times the radius under a Gaussian blur. Smaller pictures are taken as they are.
    """
    grey = image.convert("L")
    if grey.width >= size[0] and grey.height >= size[1]:
        grey = fitted(grey, size).image
    while min(grey.size) >= 4 * WINDOW:
        width = width_of_edges(np.asarray(grey, np.float32))
        if width is not None:
            return width
        grey = grey.reduce(2)  # what is blurred beyond the window shows its edges from afar
    return None


def width_of_edges(grey: Array) -> float | None:
    """Height over steepest slope of the edges in a picture (h, w), after Marziliano et al., 2002."""
    heights = highest(grey) + highest(-grey)
    strong = heights >= max(LEAST, STRONG * np.percentile(heights, 99))
    if strong.mean() < ENOUGH:
        return None
    slopes = highest(np.hypot(np.diff(grey, axis=1, append=grey[:, -1:]), np.diff(grey, axis=0, append=grey[-1:])))
    return float(np.percentile(heights[strong] / slopes[strong], SHARPEST))


def highest(values: Array) -> Array:
    """The highest value in the window around each place; the rim, where the window would not fit, is left out."""
    rows = sliding_window_view(values, WINDOW, axis=0).max(-1)
    return sliding_window_view(rows, WINDOW, axis=1).max(-1)


def thumbnail(image: Image.Image) -> Array:
    """(32, 32) grey, whatever the shape, with mean 0 and length 1, so that brightness and contrast do not count."""
    grey = np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX), np.float32)
    grey = grey - grey.mean()
    return grey / max(float(np.linalg.norm(grey)), 1e-6)


def perceptual_hash(small: Array) -> Array:
    """The signs (144,) of a thumbnail's lowest frequencies, +1 or -1; the mean's is left out as 0."""
    frequencies = (cosines() @ small @ cosines().T).ravel()
    frequencies[0] = 0
    return np.sign(frequencies)


@lru_cache
def cosines() -> Array:
    """(12, 32): the discrete cosine transform's lowest rows."""
    places, rows = np.arange(SIDE) + 0.5, np.arange(KEPT)[:, None]
    return np.cos(np.pi / SIDE * rows * places).astype(np.float32)
