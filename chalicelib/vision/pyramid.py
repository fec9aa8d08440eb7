"""An image at decreasing sizes, and crops taken from the size that suits them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from chalicelib.faces import Image

# Crops that are cut at once: OpenCV's remap writes fewer than 32,768 rows.
CROPS_PER_CUT = 256
# Rounded sizes may make a source a little more than twice as large as what is made from it.
TWICE = 2.02


@dataclass(frozen=True, slots=True)
class Level:
    """`scale` is [x, y]: pixels of this level per pixel of the image, exactly, after rounding its size."""

    image: Image
    scale: NDArray[np.float64]


class Pyramid:
    """Levels from `first_scale` on, each `factor` smaller than the last, down to a shorter side of `smallest_side` px.

    The image is halved until the first level is within reach. Every size is interpolated from the largest one that is
    at most twice as large: bilinear samples then miss no pixel, which averaging (INTER_AREA) does at eight times the
    cost.
    """

    def __init__(self, image: Image, first_scale: float, factor: float, smallest_side: int) -> None:
        height, width = image.shape[:2]
        self._shape = (width, height)
        # Every size there is, the largest first; `levels` are those at the end that a detector looks at.
        self._sizes = [Level(image, np.ones(2))]
        first_scale = min(first_scale, 1.0)
        scale = 0.5
        while scale > first_scale and min(height, width) * scale >= smallest_side:
            self._add(scale)
            scale /= 2
        halvings = len(self._sizes)
        scale = first_scale
        while min(height, width) * scale >= smallest_side:
            self._add(scale)
            scale *= factor
        self.levels = self._sizes[halvings:]

    def _add(self, scale: float) -> None:
        size = np.array([round(side * scale) for side in self._shape])
        source = next(level for level in self._sizes if np.all(size * TWICE >= level.image.shape[1::-1]))
        image = cv2.resize(source.image, tuple(size.tolist()), interpolation=cv2.INTER_LINEAR)
        self._sizes.append(Level(image, size / self._shape))  # type: ignore[arg-type]

    def crops(self, squares: NDArray[np.float32], side: int, outside: tuple[int, int, int]) -> NDArray[np.uint8]:
        """Cut squares out of the image and bring them to one size, each from the smallest size that has it that large.

        Parameters
        ----------
        squares : n x 4, left, top, right, bottom in pixels of the image, as edges; they may reach outside.
        side : pixels.
        outside : the colour for what lies outside the image.

        Returns
        -------
        n x side x side x 3.
        """
        crops = np.empty((len(squares), side, side, 3), np.uint8)
        widths = squares[:, 2] - squares[:, 0]
        scales = np.array([level.scale[0] for level in self._sizes])
        suited = np.maximum((widths[:, None] * scales >= side).sum(axis=1) - 1, 0)
        # Where along a square's side the crop's pixels have their centres.
        steps = (np.arange(side) + 0.5) / side
        for index in np.unique(suited).tolist():
            level = self._sizes[index]
            chosen = np.flatnonzero(suited == index)
            for part in (chosen[i : i + CROPS_PER_CUT] for i in range(0, len(chosen), CROPS_PER_CUT)):
                corners, sides = squares[part, :2, None], (squares[part, 2:] - squares[part, :2])[:, :, None]
                # Edges at whole numbers become centres of pixels at whole numbers: half a pixel less.
                points = ((corners + sides * steps) * level.scale[:, None] - 0.5).astype(np.float32)
                shape = (len(part), side, side)
                columns = np.broadcast_to(points[:, 0, None, :], shape).reshape(-1, side)
                rows = np.broadcast_to(points[:, 1, :, None], shape).reshape(-1, side)
                cut = cv2.remap(
                    level.image, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=outside
                )
                crops[part] = cut.reshape(*shape, 3)
        return crops
