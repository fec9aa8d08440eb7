"""An image at decreasing sizes, and crops taken from the size that suits them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from chalicelib.faces import Image


@dataclass(frozen=True, slots=True)
class Level:
    """`scale` is [x, y, x, y]: pixels of this level per pixel of the image, exactly, after rounding its size."""

    image: Image
    scale: NDArray[np.float32]


class Pyramid:
    """Levels from `first_scale` on, each `factor` smaller than the last, down to a shorter side of `smallest_side` px.

    Every level is averaged (INTER_AREA) from the one two above it, about twice its size, which costs a fraction of
    going back to the image and aliases no more.
    """

    def __init__(self, image: Image, first_scale: float, factor: float, smallest_side: int) -> None:
        self.levels: list[Level] = []
        height, width = image.shape[:2]
        self._whole = Level(image, np.ones(4, np.float32))
        scale = min(first_scale, 1.0)
        while min(height, width) * scale >= smallest_side:
            size = (round(width * scale), round(height * scale))
            source = self.levels[-2].image if len(self.levels) >= 2 else image
            level = cv2.resize(source, size, interpolation=cv2.INTER_AREA)
            ratio = np.array([size[0] / width, size[1] / height] * 2, np.float32)
            self.levels.append(Level(level, ratio))  # type: ignore[arg-type]
            scale *= factor

    def crops(
        self, squares: NDArray[np.float32], side: int, outside: tuple[int, int, int]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Cut squares out of the image and bring them to one size.

        Each comes from the smallest level that has it at `side` px or more; its edges are rounded to pixels there.

        Parameters
        ----------
        squares : n x 4, left, top, right, bottom in pixels of the image; they may reach outside.
        side : pixels.
        outside : the colour for what lies outside the image.

        Returns
        -------
        The crops, n x side x side x 3, and the squares as they were cut, n x 4, in pixels of the image.
        """
        crops = np.empty((len(squares), side, side, 3), np.uint8)
        cut = np.empty((len(squares), 4), np.float32)
        scales = np.array([self._whole.scale[0], *(level.scale[0] for level in self.levels)])
        sizes = squares[:, 2] - squares[:, 0]
        suited = (sizes[:, None] * scales[None, :] >= side).sum(axis=1) - 1
        for i, (square, index) in enumerate(zip(squares, np.maximum(suited, 0).tolist(), strict=True)):
            level = self.levels[index - 1] if index else self._whole
            left, top, right, bottom = np.rint(square * level.scale).astype(int).tolist()
            right, bottom = max(right, left + 1), max(bottom, top + 1)
            part = _cut(level.image, left, top, right, bottom, outside)
            cv2.resize(part, (side, side), dst=crops[i], interpolation=cv2.INTER_AREA)
            cut[i] = np.array([left, top, right, bottom], np.float32) / level.scale
        return crops, cut


def _cut(image: Image, left: int, top: int, right: int, bottom: int, outside: tuple[int, int, int]) -> Image:
    height, width = image.shape[:2]
    if left >= 0 and top >= 0 and right <= width and bottom <= height:
        return image[top:bottom, left:right]
    part = np.full((bottom - top, right - left, 3), outside, np.uint8)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    if x0 < x1 and y0 < y1:
        part[y0 - top : y1 - top, x0 - left : x1 - left] = image[y0:y1, x0:x1]
    return part
