"""Draws a sample face, so that a first request needs no photograph."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from chalicelib.faces import Image

SIDE_PX = 480

_SKIN, _SHADOW, _HAIR = (224, 180, 155), (190, 140, 118), (50, 36, 30)
_SHIRT, _WALL, _LIPS = (60, 70, 110), (176, 190, 200), (176, 80, 80)


def draw() -> Image:
    """Return a drawn portrait, RGB; the detector finds exactly one face on it."""
    image = np.full((SIDE_PX, SIDE_PX, 3), _WALL, np.uint8)
    _ellipse(image, (240, 470), (170, 110), _SHIRT)
    cv2.rectangle(image, (200, 330), (280, 400), (196, 150, 125), cv2.FILLED)
    _ellipse(image, (240, 200), (125, 150), _HAIR)
    _ellipse(image, (240, 235), (100, 130), _SKIN)
    _ellipse(image, (240, 130), (104, 55), _HAIR, arc=(180, 360))
    for x in (198, 282):
        _ellipse(image, (x, 212), (24, 15), _SHADOW)
        _ellipse(image, (x, 214), (19, 10), (245, 245, 245))
        _ellipse(image, (x, 214), (9, 9), (60, 40, 25))
        _ellipse(image, (x - 3, 211), (2, 2), (255, 255, 255))
        _ellipse(image, (x, 190), (27, 8), (60, 40, 32), arc=(180, 360), thickness=7)
    _ellipse(image, (240, 250), (12, 42), (232, 192, 168))
    _ellipse(image, (240, 272), (22, 11), (170, 115, 98), arc=(0, 180), thickness=4)
    for x in (230, 250):
        _ellipse(image, (x, 277), (4, 4), (110, 70, 60))
    _ellipse(image, (240, 315), (36, 12), _LIPS, arc=(0, 180))
    _ellipse(image, (240, 315), (36, 7), _LIPS, arc=(180, 360))
    cv2.line(image, (204, 315), (276, 315), (110, 40, 44), 2, cv2.LINE_AA)
    light_from_the_left = np.linspace(1.08, 0.72, SIDE_PX)[None, :, None]
    lit = np.clip(image * light_from_the_left, 0, 255).astype(np.uint8)
    return np.asarray(cv2.GaussianBlur(lit, (0, 0), 2.5), np.uint8)


def write(path: Path) -> None:
    cv2.imwrite(str(path), cv2.cvtColor(draw(), cv2.COLOR_RGB2BGR))


def _ellipse(
    image: Image,
    centre: tuple[int, int],
    radii: tuple[int, int],
    colour: tuple[int, int, int],
    *,
    arc: tuple[int, int] = (0, 360),
    thickness: int = cv2.FILLED,
) -> None:
    cv2.ellipse(image, centre, radii, 0, *arc, colour, thickness, cv2.LINE_AA)
