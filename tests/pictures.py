"""Pictures for tests that must run anywhere: scikit-image's, and modified copies."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
from skimage import data

from chalicelib.faces import Image


def astronaut() -> Image:
    """512 x 512, one face."""
    return _astronaut().copy()


@cache
def _astronaut() -> Image:
    return np.asarray(data.astronaut(), np.uint8)


def cat() -> Image:
    """300 x 451, no face."""
    return np.asarray(data.chelsea(), np.uint8)


def scaled(picture: Image, width: int, height: int) -> Image:
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def jpeg(picture: Image, quality: int = 95) -> bytes:
    _, file = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return file.tobytes()


def png(picture: Image) -> bytes:
    _, file = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return file.tobytes()


def read(path: Path) -> Image:
    return np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR_RGB), np.uint8)
