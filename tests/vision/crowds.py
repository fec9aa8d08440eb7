"""Pictures of many faces or face-like patterns, the most expensive ones within the limits."""

from __future__ import annotations

import cv2
import numpy as np

from chalicelib.faces import Image
from tests.pictures import astronaut, scaled


def crowd(across: int, side: int) -> Image:
    """Return a grid of the astronaut's face, each `side` px, `across` times per row and column."""
    return tiled(scaled(np.ascontiguousarray(astronaut()[70:230, 150:310]), side, side), across * side)


def glyphs(side: int, pixels: int) -> Image:
    """Return a texture of two dots over a line. P-Net takes these for faces, and R-Net does not."""
    one = np.full((side, side, 3), 200, np.uint8)
    for column in (side // 3, side * 2 // 3):
        cv2.circle(one, (column, side * 2 // 5), max(1, side // 10), (40, 40, 40), -1)
    cv2.line(one, (side // 3, side * 3 // 4), (side * 2 // 3, side * 3 // 4), (60, 60, 60), max(1, side // 12))
    return tiled(one, pixels)


def noise(grain: int, pixels: int) -> Image:
    """Return smooth grey noise that changes every `grain` px."""
    grains = np.random.default_rng(1).integers(0, 256, (pixels // grain, pixels // grain, 1), np.uint8)
    grey = cv2.resize(np.repeat(grains, 3, axis=2), (pixels, pixels), interpolation=cv2.INTER_CUBIC)
    return np.asarray(grey, np.uint8)


def tiled(one: Image, pixels: int) -> Image:
    times = -(-pixels // len(one))
    return np.ascontiguousarray(np.tile(one, (times, times, 1))[:pixels, :pixels])
