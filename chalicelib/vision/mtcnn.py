"""Finds faces with MTCNN in three steps; each step checks more closely the candidates of the one before."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from chalicelib import deadline
from chalicelib.faces import DetectedFace, Found, Image
from chalicelib.vision.model_pack import DetectorCard, Network
from chalicelib.vision.onet import (
    GREY,
    MAX_CANDIDATES,
    Boxes,
    Candidates,
    Onet,
    in_batches,
    log_odds,
    moved,
    squared,
)
from chalicelib.vision.pyramid import Level, Pyramid

# P-Net's windows are WINDOW pixels wide and high, and STRIDE pixels apart.
WINDOW, STRIDE = 12, 2
# The pixels of a side that P-Net's layers consume beyond STRIDE pixels per cell.
MARGIN = 10
# How far windows may extend beyond the border of a level, in its pixels (even). A face that fills the picture is then
# found too.
BORDER = 2
# P-Net runs on equal tiles of at most this many cells a side. Its maps then fit the processor's cache, and memory stays
# bounded. Sides that are powers of two are slower, because their rows compete for the same places in the cache.
TILE = 60
# The most proposals kept after P-Net, per level and in total; the likeliest ones are kept. This bounds the work that
# one picture can cause. A face in a crowd has at most about 27 of them, so 200 faces fit.
MAX_LEVEL_PROPOSALS, MAX_PROPOSALS = 6_000, 6_000
# If two boxes overlap by more than this (intersection over union), the less certain one is dropped.
LEVEL_OVERLAP, PNET_OVERLAP, RNET_OVERLAP = 0.5, 0.6, 0.4
# The share of R-Net's log-odds in a face's; the rest is O-Net's.
RNET_WEIGHT = 1 / 3


class Mtcnn:
    """Runs the three networks of MTCNN, as models/mtcnn.py converts them.

    Zhang et al., "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks", 2016.

    This differs from common implementations where they lose precision or faces. A P-Net window covers 12 px of its
    level, not 11. Crops, and to a small extent windows, may reach beyond the picture's border; pixels there are grey.
    """

    def __init__(self, card: DetectorCard, pnet: Network, rnet: Network, onet: Network) -> None:
        self._card = card
        self._pnet, self._rnet = pnet, rnet
        # The networks return log-odds. Comparing log-odds avoids computing sigmoids.
        self._least_pnet, self._least_rnet, least = map(log_odds, card.thresholds)
        self._onet = Onet(onet, RNET_WEIGHT, least)

    def detect(self, image: Image) -> Found[DetectedFace]:
        """See `Detector.detect`."""
        first_scale = WINDOW / self._card.smallest_face
        pyramid = Pyramid(image, first_scale, self._card.pyramid_factor, smallest_side=WINDOW - 2 * BORDER)
        proposals, some_left_out = self._propose(pyramid)
        candidates, more_left_out = self._refine(pyramid, proposals)
        return self._onet.faces(image, pyramid, candidates, truncated=some_left_out or more_left_out)

    def _propose(self, pyramid: Pyramid) -> tuple[Boxes, bool]:
        """Run P-Net on every level; return possible faces, as squares, and whether some were dropped."""
        found = [self._propose_on(level) for level in pyramid.levels]
        boxes, log_odds = (np.concatenate([part[i] for part in found]) for i in (0, 1))
        kept, left_out = _suppress(boxes, log_odds, PNET_OVERLAP, MAX_PROPOSALS)
        return squared(boxes[kept]), left_out or any(part[2] for part in found)

    def _propose_on(self, level: Level) -> tuple[Boxes, NDArray[np.float32], bool]:
        cells, values = self._scan(level.image)
        scale = np.tile(level.scale, 2)
        corners = np.concatenate([cells * STRIDE, cells * STRIDE + WINDOW], axis=1)
        windows = (corners / scale).astype(np.float32)
        kept, left_out = _suppress(windows, values[:, 0], LEVEL_OVERLAP, MAX_LEVEL_PROPOSALS)
        offsets = values[kept, 1:5] * (WINDOW / scale)
        return (windows[kept] + offsets).astype(np.float32), values[kept, 0], left_out

    def _scan(self, level: Image) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the cells above the threshold, n x 2 [column, row], and the network's values there, n x 5.

        Cell [0, 0] is the window at the level's first pixel. Cells to its left and above it have negative numbers.
        """
        # OpenCV's stubs declare no dtype.
        level = cv2.copyMakeBorder(level, BORDER, BORDER, BORDER, BORDER, cv2.BORDER_CONSTANT, value=GREY)  # type: ignore[assignment]
        rows, columns = (_tiles((side - MARGIN + 1) // STRIDE) for side in level.shape[:2])
        cells, values = [], []
        for top, bottom in rows:
            for left, right in columns:
                deadline.check()
                tile = level[STRIDE * top : STRIDE * bottom + MARGIN, STRIDE * left : STRIDE * right + MARGIN]
                answer = self._pnet(tile[None])[0]
                row, column = np.nonzero(answer[0] > self._least_pnet)
                cells.append(np.stack([column + left, row + top], axis=1))
                values.append(answer[:, row, column].T)
        return np.concatenate(cells) - BORDER // STRIDE, np.concatenate(values)

    def _refine(self, pyramid: Pyramid, proposals: Boxes) -> tuple[Candidates, bool]:
        """Run R-Net on the proposals; return the accepted ones and whether some were dropped.

        The accepted boxes are moved by the network's offsets and made square.
        """
        answers = in_batches(self._rnet, pyramid.crops(proposals, 24, GREY), 5)
        passed = answers[:, 0] > self._least_rnet
        squares, answers = proposals[passed], answers[passed]
        kept, left_out = _suppress(squares, answers[:, 0], RNET_OVERLAP, MAX_PROPOSALS)
        left_out |= len(kept) > MAX_CANDIDATES
        kept = kept[:MAX_CANDIDATES]
        return Candidates(squared(moved(squares[kept], answers[kept, 1:5])), answers[kept, 0]), left_out


def _tiles(cells: int) -> list[tuple[int, int]]:
    """Divide cells into the fewest equal parts of at most TILE cells; return the first cell and the end of each."""
    edges = np.linspace(0, cells, -(-cells // TILE) + 1).round().astype(int).tolist()
    return list(pairwise(edges))


def _suppress(boxes: Boxes, log_odds: NDArray[np.float32], overlap: float, most: int) -> tuple[NDArray[np.int64], bool]:
    """Apply non-maximum suppression to the `most` likeliest boxes.

    Return the indices of the boxes kept, the likeliest first, and whether there were more than `most` boxes.
    """
    if len(boxes) == 0:
        return np.zeros(0, np.int64), False
    rectangles = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).astype(np.float64)
    # OpenCV requires scores of at least 0. Log-odds are: they exceed the thresholds, which are above 1/2.
    # OpenCV's stubs require lists.
    kept = cv2.dnn.NMSBoxes(rectangles, log_odds, 0.0, overlap, top_k=most)  # type: ignore[arg-type]
    return np.asarray(kept, np.int64), len(boxes) > most
