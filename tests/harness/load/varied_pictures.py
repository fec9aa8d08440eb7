"""Random pictures of all sizes, formats and numbers of faces, and files that are not pictures."""

from __future__ import annotations

from random import Random

import cv2
import numpy as np
import skimage.data

from chalicelib.images import decoding
from chalicelib.settings import CONTRACT_IMAGE_BYTES
from tests.e2e.pictures import Pixels, astronaut_pixels, brightened, jpeg, png

# Pixels of the longer side, and their weights; detection time is proportional to the area.
SIDES = {(80, 400): 80, (400, 1000): 15, (1000, 2000): 4, (2000, 4000): 1}


def varied_picture(random: Random) -> tuple[bytes, bool]:
    """Return a file, and whether it is a picture that the service accepts, with or without faces."""
    pixels = _pixels(random)
    large = max(pixels.shape) > 1000
    file = (
        png(pixels) if random.random() < 0.2 and not large else jpeg(pixels, random.choice([50, 70, 90 - 30 * large]))
    )
    if random.random() < 0.05:
        return random.choice([file[: len(file) // 2], random.randbytes(5000), b""]), False
    return file, min(pixels.shape[:2]) >= decoding.MIN_SIDE_PX and len(file) <= CONTRACT_IMAGE_BYTES


def largest_picture() -> bytes:
    """Return a picture with several faces that needs as much memory as any other."""
    source = np.tile(astronaut_pixels(), (2, 2, 1))
    return jpeg(np.asarray(cv2.resize(source, (4000, 4000), interpolation=cv2.INTER_AREA), np.uint8), 60)


def _pixels(random: Random) -> Pixels:
    """Draw a random number of faces, or none, at a random size."""
    lowest, highest = random.choices(list(SIDES), list(SIDES.values()))[0]
    side = random.randint(lowest, highest)
    kind = random.choices(["one", "several", "none"], [70, 15, 15])[0]
    if kind == "none":
        source = np.asarray(skimage.data.chelsea(), np.uint8)
    else:
        source = brightened(astronaut_pixels(), random.uniform(0.5, 1.4))[:, :: random.choice([1, -1])]
    if kind == "several":
        source = np.tile(source, (2, random.randint(1, 3), 1))
    factor = side / max(source.shape)
    return np.asarray(cv2.resize(source, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)
