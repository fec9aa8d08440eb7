"""Finds faces with MTCNN in three steps; each step checks more closely the candidates of the one before."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from chalicelib import deadline
from chalicelib.faces import Box, DetectedFace, Found, Image
from chalicelib.vision.detector import largest
from chalicelib.vision.model_pack import DetectorCard, Network
from chalicelib.vision.pyramid import Level, Pyramid

Boxes = NDArray[np.float32]
"""n x 4: left, top, right, bottom, in pixels of the image, as edges: pixel i covers [i, i + 1)."""

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
# Crops per run of R-Net and O-Net.
BATCH = 8
# The most proposals kept after P-Net, per level and in total, and after R-Net; the likeliest ones are kept. This bounds
# the work that one picture can cause. A face in a crowd has at most about 27, 27 and 3 of them, so 200 faces fit.
MAX_LEVEL_PROPOSALS, MAX_PROPOSALS, MAX_CANDIDATES = 6_000, 6_000, 600
# If two boxes overlap by more than this (intersection over union), the less certain one is dropped.
LEVEL_OVERLAP, PNET_OVERLAP, RNET_OVERLAP = 0.5, 0.6, 0.4
# The same for final faces, as intersection over the smaller box: no face contains a second face.
FACE_OVERLAP = 0.7
# O-Net's first look drops a candidate with log-odds below this. The limit is low because the second look, which is
# better centred, may accept the candidate.
FIRST_LOOK = float(np.log(0.2 / 0.8))
# The colour of pixels outside the picture: the networks' normalisation maps this grey to about zero.
GREY = (127, 127, 127)


class Mtcnn:
    """Runs the three networks of MTCNN, as models/mtcnn.py converts them.

    Zhang et al., "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks", 2016.

    This differs from common implementations where they lose precision or faces. A P-Net window covers 12 px of its
    level, not 11. Crops, and to a small extent windows, may reach beyond the picture's border; pixels there are grey.
    """

    def __init__(self, card: DetectorCard, pnet: Network, rnet: Network, onet: Network) -> None:
        self._card = card
        self._pnet, self._rnet, self._onet = pnet, rnet, onet
        # The networks return log-odds. Comparing log-odds avoids computing sigmoids.
        self._log_odds = [float(np.log(p / (1 - p))) for p in card.thresholds]

    def detect(self, image: Image) -> Found[DetectedFace]:
        """See `Detector.detect`."""
        first_scale = WINDOW / self._card.smallest_face
        pyramid = Pyramid(image, first_scale, self._card.pyramid_factor, smallest_side=WINDOW - 2 * BORDER)
        proposals, some_left_out = self._propose(pyramid)
        candidates, evidence, more_left_out = self._refine(pyramid, proposals)
        boxes, landmarks, log_odds = self._decide(pyramid, candidates, evidence)
        height, width = image.shape[:2]
        boxes = np.clip(boxes, 0, (width, height, width, height))
        faces = (
            DetectedFace(Box(*map(float, box)), points, float(1 / (1 + np.exp(-odds))))
            for box, points, odds in zip(boxes, landmarks, log_odds, strict=True)
        )
        return largest(faces, truncated=some_left_out or more_left_out)

    def _propose(self, pyramid: Pyramid) -> tuple[Boxes, bool]:
        """Run P-Net on every level; return possible faces, as squares, and whether some were dropped."""
        found = [self._propose_on(level) for level in pyramid.levels]
        boxes, log_odds = (np.concatenate([part[i] for part in found]) for i in (0, 1))
        kept, left_out = _suppress(boxes, log_odds, PNET_OVERLAP, MAX_PROPOSALS)
        return _square(boxes[kept]), left_out or any(part[2] for part in found)

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
                row, column = np.nonzero(answer[0] > self._log_odds[0])
                cells.append(np.stack([column + left, row + top], axis=1))
                values.append(answer[:, row, column].T)
        return np.concatenate(cells) - BORDER // STRIDE, np.concatenate(values)

    def _refine(self, pyramid: Pyramid, proposals: Boxes) -> tuple[Boxes, NDArray[np.float32], bool]:
        """Run R-Net on the proposals; return the accepted ones, their log-odds, and whether some were dropped.

        The accepted boxes are moved by the network's offsets and made square.
        """
        answers = _in_batches(self._rnet, pyramid.crops(proposals, 24, GREY), 5)
        passed = answers[:, 0] > self._log_odds[1]
        squares, answers = proposals[passed], answers[passed]
        kept, left_out = _suppress(squares, answers[:, 0], RNET_OVERLAP, MAX_PROPOSALS)
        left_out |= len(kept) > MAX_CANDIDATES
        kept = kept[:MAX_CANDIDATES]
        return _square(_move(squares[kept], answers[kept, 1:5])), answers[kept, 0], left_out

    def _decide(
        self, pyramid: Pyramid, candidates: Boxes, evidence: NDArray[np.float32]
    ) -> tuple[Boxes, NDArray[np.float32], NDArray[np.float32]]:
        """Run O-Net on the candidates and again on the boxes it returned; return boxes, landmarks and log-odds.

        Landmarks are n x 5 x 2. In the second look the face is centred, as in the network's training. Its landmarks
        then scatter less, and fewer overlapping candidates are needed.

        `evidence` is R-Net's log-odds of each candidate. The result is one third of `evidence` and two thirds of the
        better of O-Net's two looks, because false faces that deceive both networks are rarer than those that deceive
        one.
        """
        answers = self._look(pyramid, candidates)
        passed = answers[:, 0] > FIRST_LOOK
        boxes, first, evidence = _move(candidates[passed], answers[passed, 1:5]), answers[passed, 0], evidence[passed]
        kept = _suppress_nested(boxes, first, FACE_OVERLAP)
        squares = _square(boxes[kept])
        answers = self._look(pyramid, squares)
        log_odds = (evidence[kept] + 2 * np.maximum(first[kept], answers[:, 0])) / 3
        passed = log_odds > self._log_odds[2]
        squares, answers, log_odds = squares[passed], answers[passed], log_odds[passed]
        side = (squares[:, 2:] - squares[:, :2])[:, None, :]
        # Squares are measured at edges of pixels, landmarks at centres of pixels: subtract half a pixel.
        landmarks = squares[:, None, :2] + answers[:, 5:].reshape(-1, 2, 5).transpose(0, 2, 1) * side - 0.5
        boxes = _move(squares, answers[:, 1:5])
        kept = _suppress_nested(boxes, log_odds, FACE_OVERLAP)
        return boxes[kept], landmarks[kept], log_odds[kept]

    def _look(self, pyramid: Pyramid, squares: Boxes) -> NDArray[np.float32]:
        return _in_batches(self._onet, pyramid.crops(squares, 48, GREY), 15)


def _tiles(cells: int) -> list[tuple[int, int]]:
    """Divide cells into the fewest equal parts of at most TILE cells; return the first cell and the end of each."""
    edges = np.linspace(0, cells, -(-cells // TILE) + 1).round().astype(int).tolist()
    return list(pairwise(edges))


def _in_batches(network: Network, crops: NDArray[np.uint8], outputs: int) -> NDArray[np.float32]:
    answers = [np.zeros((0, outputs), np.float32)]
    for i in range(0, len(crops), BATCH):
        deadline.check()
        answers.append(network(crops[i : i + BATCH]))
    return np.concatenate(answers)


def _move(boxes: Boxes, offsets: NDArray[np.float32]) -> Boxes:
    """Shift each edge by the network's offset, which is a fraction of the box's side."""
    sides = boxes[:, 2:] - boxes[:, :2]
    return np.asarray(boxes + offsets * np.concatenate([sides, sides], axis=1), np.float32)


def _square(boxes: Boxes) -> Boxes:
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    return np.concatenate([centres - half, centres + half], axis=1)


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


def _suppress_nested(boxes: Boxes, log_odds: NDArray[np.float32], overlap: float) -> list[int]:
    """Return the indices of the boxes kept, the likeliest first.

    A box is dropped if its overlap with a likelier box is more than `overlap` of the smaller box's area.
    """
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    kept: list[int] = []
    for i in np.argsort(-log_odds, kind="stable").tolist():
        corners = np.minimum(boxes[i, 2:], boxes[kept, 2:]) - np.maximum(boxes[i, :2], boxes[kept, :2])
        shared = np.prod(np.maximum(corners, 0), axis=1)
        if not np.any(shared > overlap * np.minimum(areas[i], areas[kept])):
            kept.append(i)
    return kept
