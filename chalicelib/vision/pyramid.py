"""Resizes an image to a pyramid of decreasing sizes, and cuts each crop from the size that suits it."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from chalicelib.faces import Image

# Crops cut in one call: OpenCV's remap writes fewer than 32,768 rows.
CROPS_PER_CUT = 256
# Pixels by which rounding may make a size more than twice as wide as the size that is made from it.
ROUNDING = 2


class Level(NamedTuple):
    """One size of the image.

    `scale` is [x, y]: pixels of this level per pixel of the image. It is exact for the level's rounded size.
    """

    image: Image
    scale: NDArray[np.float64]


class Pyramid:
    """Levels from `first_scale` on, each `factor` times the last, down to a shorter side of `smallest_side` px.

    Every size is interpolated from the largest existing size that is at most twice as large. If there is none, halves
    are made first. Bilinear samples then miss no pixel. Averaging (INTER_AREA) would take eight times as long.
    """

    def __init__(self, image: Image, first_scale: float, factor: float, smallest_side: int) -> None:
        # All sizes, the largest first. `levels` are the sizes that a detector searches.
        self._sizes = [Level(image, np.ones(2))]
        self.levels: list[Level] = []
        scale = min(first_scale, 1.0)
        while min(image.shape[:2]) * scale >= smallest_side:
            self.levels.append(self._sized(scale))
            scale *= factor

    def _sized(self, scale: float) -> Level:
        if scale == 1:
            return self._sizes[0]
        height, width = self._sizes[0].image.shape[:2]
        size = round(width * scale), round(height * scale)
        within_reach = 2 * size[0] + ROUNDING
        while self._sizes[-1].image.shape[1] > within_reach:
            self._sized(float(self._sizes[-1].scale[0]) / 2)
        source = next(level.image for level in self._sizes if level.image.shape[1] <= within_reach)
        image = cv2.resize(source, size, interpolation=cv2.INTER_LINEAR)
        # OpenCV's stubs declare no dtype.
        level = Level(image, np.array([size[0] / width, size[1] / height]))  # type: ignore[arg-type]
        self._sizes.append(level)
        return level

    def crops(self, squares: NDArray[np.float32], side: int, outside: tuple[int, int, int]) -> NDArray[np.uint8]:
        """Cut squares out of the image and resize them to `side`.

        Each square is cut from the smallest size that shows it at least `side` px wide, or else from the image itself.

        Parameters
        ----------
        squares : n x 4, left, top, right, bottom in pixels of the image, as edges; they may reach outside the image.
        side : of a crop, in pixels.
        outside : the colour of pixels outside the image.

        Returns
        -------
        n x side x side x 3.
        """
        crops = np.empty((len(squares), side, side, 3), np.uint8)
        widths = squares[:, 2] - squares[:, 0]
        scales = np.array([level.scale[0] for level in self._sizes])
        suited = np.maximum((widths[:, None] * scales >= side).sum(axis=1) - 1, 0)
        # The centres of the crop's pixels, as fractions of the square's side.
        steps = (np.arange(side) + 0.5) / side
        for index in np.unique(suited).tolist():
            level = self._sizes[index]
            chosen = np.flatnonzero(suited == index)
            for part in (chosen[i : i + CROPS_PER_CUT] for i in range(0, len(chosen), CROPS_PER_CUT)):
                corners, sides = squares[part, :2, None], (squares[part, 2:] - squares[part, :2])[:, :, None]
                # Squares have edges of pixels at whole numbers, remap has centres of pixels: subtract half a pixel.
                points = ((corners + sides * steps) * level.scale[:, None] - 0.5).astype(np.float32)
                shape = (len(part), side, side)
                columns = np.broadcast_to(points[:, 0, None, :], shape).reshape(-1, side)
                rows = np.broadcast_to(points[:, 1, :, None], shape).reshape(-1, side)
                cut = cv2.remap(
                    level.image, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=outside
                )
                crops[part] = cut.reshape(*shape, 3)
        return crops
