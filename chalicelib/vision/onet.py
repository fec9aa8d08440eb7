"""O-Net, the last network of MTCNN: judges candidates, and places their boxes and landmarks."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chalicelib import deadline
from chalicelib.faces import Box, DetectedFace, Found, Image
from chalicelib.vision.detector import largest
from chalicelib.vision.model_pack import Network
from chalicelib.vision.pyramid import Pyramid

Boxes = NDArray[np.float32]
"""n x 4: left, top, right, bottom, in pixels of the image, as edges: pixel i covers [i, i + 1)."""

# Crops per run of a network.
BATCH = 8
# The network's crops have this side, in pixels.
SIDE = 48
# The most candidates that O-Net looks at. This bounds the work that one picture can cause. A face in a crowd has at
# most about 3 of them, so 200 faces fit.
MAX_CANDIDATES = 600
# If two faces overlap by more than this (intersection over the smaller box), the less certain one is dropped: no face
# contains a second face.
FACE_OVERLAP = 0.7
# The first look drops a candidate with log-odds below this. The limit is low because the second look, which is better
# centred, may accept the candidate.
FIRST_LOOK = float(np.log(0.2 / 0.8))
# The colour of pixels outside the picture: the networks' normalisation maps this grey to about zero.
GREY = (127, 127, 127)


class Candidates(NamedTuple):
    """Possible faces, as squares (n x 4, see `Boxes`), and the log-odds (n) that an earlier network gave them."""

    squares: Boxes
    log_odds: NDArray[np.float32]


class Onet:
    """Decides which candidates are faces.

    A face's log-odds are `weight` times the earlier network's, plus 1 - `weight` times the better of O-Net's two looks,
    because false faces that deceive both networks are rarer than those that deceive one. A face has more than `least`.
    """

    def __init__(self, network: Network, weight: float, least: float) -> None:
        self._network = network
        self._weight, self._least = weight, least

    def faces(self, image: Image, pyramid: Pyramid, candidates: Candidates, *, truncated: bool) -> Found[DetectedFace]:
        """Look at the candidates and again at the boxes that the network gave them; return the faces.

        In the second look the face is centred, as in the network's training. Its landmarks then scatter less, and fewer
        overlapping candidates are needed.
        """
        answers = self._look(pyramid, candidates.squares)
        passed = answers[:, 0] > FIRST_LOOK
        boxes, first = moved(candidates.squares[passed], answers[passed, 1:5]), answers[passed, 0]
        earlier = candidates.log_odds[passed]
        kept = suppress_nested(boxes, self._combined(earlier, first))
        squares = squared(boxes[kept])
        answers = self._look(pyramid, squares)
        odds = self._combined(earlier[kept], np.maximum(first[kept], answers[:, 0]))
        passed = odds > self._least
        squares, answers, odds = squares[passed], answers[passed], odds[passed]
        side = (squares[:, 2:] - squares[:, :2])[:, None, :]
        # Squares are measured at edges of pixels, landmarks at centres of pixels: subtract half a pixel.
        landmarks = squares[:, None, :2] + answers[:, 5:].reshape(-1, 2, 5).transpose(0, 2, 1) * side - 0.5
        boxes = moved(squares, answers[:, 1:5])
        height, width = image.shape[:2]
        found = (
            DetectedFace(
                Box(*map(float, np.clip(boxes[i], 0, (width, height, width, height)))),
                landmarks[i],
                float(1 / (1 + np.exp(-odds[i]))),
            )
            for i in suppress_nested(boxes, odds)
        )
        return largest(found, truncated=truncated)

    def _combined(self, earlier: NDArray[np.float32], own: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(self._weight * earlier + (1 - self._weight) * own, np.float32)

    def _look(self, pyramid: Pyramid, squares: Boxes) -> NDArray[np.float32]:
        return in_batches(self._network, pyramid.crops(squares, SIDE, GREY), 15)


def log_odds(probability: float) -> float:
    return math.log(probability / (1 - probability))


def in_batches(network: Network, crops: NDArray[np.uint8], outputs: int) -> NDArray[np.float32]:
    """Run a network on crops (n x side x side x 3); return its answers, n x `outputs`."""
    answers = [np.zeros((0, outputs), np.float32)]
    for i in range(0, len(crops), BATCH):
        deadline.check()
        answers.append(network(crops[i : i + BATCH]))
    return np.concatenate(answers)


def moved(boxes: Boxes, offsets: NDArray[np.float32]) -> Boxes:
    """Shift each edge by the network's offset, which is a fraction of the box's side."""
    sides = boxes[:, 2:] - boxes[:, :2]
    return np.asarray(boxes + offsets * np.concatenate([sides, sides], axis=1), np.float32)


def squared(boxes: Boxes) -> Boxes:
    """Enlarge the shorter side of each box to the longer one, around the same centre."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    return np.concatenate([centres - half, centres + half], axis=1)


def suppress_nested(boxes: Boxes, log_odds: NDArray[np.float32]) -> list[int]:
    """Return the indices of the boxes kept, the likeliest first.

    A box is dropped if its overlap with a likelier box is more than FACE_OVERLAP of the smaller box's area.
    """
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    kept: list[int] = []
    for i in np.argsort(-log_odds, kind="stable").tolist():
        corners = np.minimum(boxes[i, 2:], boxes[kept, 2:]) - np.maximum(boxes[i, :2], boxes[kept, :2])
        shared = np.prod(np.maximum(corners, 0), axis=1)
        if not np.any(shared > FACE_OVERLAP * np.minimum(areas[i], areas[kept])):
            kept.append(i)
    return kept
