"""Picture files that are available wherever the tests run."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray

from infra.local import sample_face

Pixels = NDArray[np.uint8]
"""Return the astronaut's pixels, height x width x 3, uint8, RGB."""

JPEG_QUALITY = 92


def jpeg(pixels: Pixels, quality: int = JPEG_QUALITY) -> bytes:
    return _encoded(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])


def png(pixels: Pixels) -> bytes:
    return _encoded(".png", pixels, [])


def astronaut_pixels() -> Pixels:
    """Return a photograph of one face, 512 x 512 px."""
    return np.asarray(skimage.data.astronaut(), np.uint8)


@lru_cache
def astronaut() -> bytes:
    return jpeg(astronaut_pixels())


@lru_cache
def astronaut_png() -> bytes:
    return png(astronaut_pixels())


@lru_cache
def cat() -> bytes:
    """Return a photograph without a face."""
    return jpeg(np.asarray(skimage.data.chelsea(), np.uint8))


@lru_cache
def drawing() -> bytes:
    """Return a drawing of one face that does not look like the astronaut."""
    return jpeg(sample_face.draw())


@lru_cache
def blurred() -> bytes:
    """Return a picture with one face that is detected, but blurred and therefore poor."""
    return jpeg(np.asarray(cv2.GaussianBlur(astronaut_pixels(), (0, 0), 4), np.uint8))


def two_faces() -> bytes:
    """Return a picture with the astronaut, small, on the left and the drawn face, large, on the right."""
    large = sample_face.draw()
    small = np.full_like(large, 128)
    small[:256, :256] = scaled(astronaut_pixels(), 0.5)
    return jpeg(np.hstack([small, large]))


def blank(width: int, height: int) -> bytes:
    return png(np.full((height, width, 3), 128, np.uint8))


@lru_cache
def changed_astronauts() -> dict[str, bytes]:
    """Return changed copies of the photograph, by the kind of change."""
    photo = astronaut_pixels()
    return {
        "coarse": jpeg(photo, quality=30),
        "darker": jpeg(brightened(photo, 0.6)),
        "brighter": jpeg(brightened(photo, 1.3)),
        "smaller": jpeg(scaled(photo, 0.5)),
        "larger": jpeg(scaled(photo, 2)),
        "mirrored": jpeg(photo[:, ::-1]),
    }


def padded(file: bytes, size: int) -> bytes:
    """Return a picture's file padded with zeros at its end, up to a size in bytes."""
    return file.ljust(size, b"\0")


def scaled(pixels: Pixels, factor: float) -> Pixels:
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=interpolation), np.uint8)


def brightened(pixels: Pixels, factor: float) -> Pixels:
    return np.asarray(np.clip(pixels * factor, 0, 255), np.uint8)


def _encoded(extension: str, pixels: Pixels, settings: list[int]) -> bytes:
    done, data = cv2.imencode(extension, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), settings)
    assert done
    return data.tobytes()
