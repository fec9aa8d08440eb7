"""Finds faces with YuNet, in one step, on a few sizes of the picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from chalicelib import deadline
from chalicelib.faces import Box, DetectedFace, Found, Image
from chalicelib.vision.detector import largest
from chalicelib.vision.model_pack import DetectorCard, Network
from chalicelib.vision.pyramid import Level, Pyramid

Faces = NDArray[np.float32]
"""n x 15: the box, five landmarks and the probability of a face.

The box is left, top, right, bottom, as edges: pixel i covers [i, i + 1). Landmarks are x, y, with whole numbers at the
centres of pixels.
"""

# Pixels between neighbouring cells in the network's three maps, which follow one another in its output.
STRIDES = (8, 16, 32)
# The sides of the network's input are multiples of this.
DIVISOR = 32
# The range of faces that a level is searched for, in its pixels. The network misses some smaller faces (by their
# shorter side) and most faces above 300 px. From LARGEST on (by their longer side), faces are well inside the next
# level's range.
SMALLEST, LARGEST = 30, 240
# Levels continue down to this shorter side, in pixels. A face that fills the picture is then well inside the range.
SMALLEST_SIDE = 48
# Levels are searched in tiles of TILE px a side, so that memory is bounded. Neighbouring tiles share SHARED px, so
# every face of the range lies whole in one of them.
TILE, SHARED = 1024, 256
# A face that ends within this many pixels of an edge between tiles may be cut there. If it is of the range, it is whole
# in the other tile.
CUT = (SHARED - LARGEST) // 2
# See `suppress`: OpenCV's default.
OVERLAP = 0.3
# A face is kept if its box has at least this fraction of the smallest side: boxes scatter, and YuNet's are tighter than
# other detectors'.
LEAST_SIDE = 0.8
# The most boxes, the likeliest first, that suppression takes. This bounds the work that one picture can cause. It is
# OpenCV's default.
MAX_BOXES = 5_000


class Yunet:
    """Runs YuNet, as models/yunet.py converts it.

    Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023. Decoding follows OpenCV's
    modules/objdetect/src/face_detect.cpp. OpenCV searches only the picture's own size, and so finds faces of up to
    about 300 px. Here the levels of a pyramid bring faces of every size into the network's range.
    """

    def __init__(self, card: DetectorCard, network: Network) -> None:
        self._card = card
        self._network = network

    def detect(self, image: Image) -> Found[DetectedFace]:
        """See `Detector.detect`."""
        height, width = image.shape[:2]
        pyramid = levels(image, SMALLEST / self._card.smallest_face, self._card.pyramid_factor)
        faces = search(self._network, pyramid, self._card.thresholds[0])
        left_out = len(faces) > MAX_BOXES
        faces = faces[suppress(faces, OVERLAP)]
        faces[:, :4] = np.clip(faces[:, :4], 0, (width, height, width, height))
        sides = (faces[:, 2:4] - faces[:, :2]).min(axis=1)
        found = (
            DetectedFace(Box(*map(float, face[:4])), face[4:14].reshape(5, 2), float(face[14]))
            for face in faces[sides >= self._card.smallest_face * LEAST_SIDE]
        )
        return largest(found, truncated=left_out)


def levels(image: Image, first_scale: float, factor: float) -> Pyramid:
    """Return the sizes of an image that show its faces in the network's range."""
    first_scale = min(first_scale, 1.0)
    smallest_side = min(SMALLEST_SIDE, int(first_scale * min(image.shape[:2])))  # ensures at least one level
    return Pyramid(image, first_scale, factor, smallest_side)


def search(network: Network, pyramid: Pyramid, least: float) -> Faces:
    """Return the faces on all levels that have at least the probability `least`, in pixels of the image.

    A face may be found on several levels, and several times on one: see `suppress`.
    """
    *finer, coarsest = pyramid.levels
    found = [*(_look_at(network, level, least, LARGEST) for level in finer), _look_at(network, coarsest, least, np.inf)]
    return np.concatenate(found)


def suppress(faces: Faces, overlap: float) -> NDArray[np.int64]:
    """Apply non-maximum suppression to the MAX_BOXES likeliest faces; return the indices of the faces kept, the
    likeliest first.

    If two boxes overlap by more than `overlap` (intersection over union), the less certain one is dropped.
    """
    rectangles = np.concatenate([faces[:, :2], faces[:, 2:4] - faces[:, :2]], axis=1).astype(np.float64)
    # OpenCV's stubs require lists.
    kept = cv2.dnn.NMSBoxes(rectangles, faces[:, 14], 0.0, overlap, top_k=MAX_BOXES)  # type: ignore[arg-type]
    return np.asarray(kept, np.int64)


def _look_at(network: Network, level: Level, least: float, largest: float) -> Faces:
    """Return a level's faces of at most `largest` of its pixels a side, in pixels of the image."""
    height, width = level.image.shape[:2]
    tiles = [
        _look_at_tile(network, level.image, least, left, top)
        for top in range(0, max(1, height - SHARED), TILE - SHARED)
        for left in range(0, max(1, width - SHARED), TILE - SHARED)
    ]
    faces: Faces = np.concatenate(tiles)
    faces = faces[(faces[:, 2:4] - faces[:, :2]).max(axis=1) <= largest]
    faces[:, :4] /= np.tile(level.scale, 2)
    # Landmarks are centres of pixels, but only edges scale: convert to edges and back.
    faces[:, 4:14] = (faces[:, 4:14] + 0.5) / np.resize(level.scale, 10) - 0.5
    return faces


def _look_at_tile(network: Network, level: Image, least: float, left: int, top: int) -> Faces:
    """Return the faces of a tile, in pixels of the level, except faces that another tile shows more of."""
    deadline.check()
    tile = level[top : top + TILE, left : left + TILE]
    height, width = tile.shape[:2]
    below, beside = -height % DIVISOR, -width % DIVISOR
    padded = cv2.copyMakeBorder(tile, 0, below, 0, beside, cv2.BORDER_CONSTANT)
    faces = decode(network(padded[None])[0], height + below, width + beside, least)
    faces[:, :14] += np.resize(np.array([left, top], np.float32), 14)
    # Edges between tiles cut faces; edges of the level itself do not.
    first = np.where([left > 0, top > 0], (left + CUT, top + CUT), -np.inf)
    right, bottom = left + width, top + height
    last = np.where([right < level.shape[1], bottom < level.shape[0]], (right - CUT, bottom - CUT), np.inf)
    kept: Faces = faces[np.all((faces[:, :2] >= first) & (faces[:, 2:4] <= last), axis=1)]
    return kept


def decode(cells: NDArray[np.float32], height: int, width: int, least: float) -> Faces:
    """Return the faces in the network's output that have at least the probability `least`.

    Parameters
    ----------
    cells : n x 16, the cells of every stride in turn, row by row. Each has the probability of the class and the
        probability of an object. Then follow, all in strides, the box's centre from the cell's corner, the logarithm of
        its width and height, and the landmarks from the cell's corner.
    height, width : of the network's input, in pixels; multiples of 32.
    """
    found = []
    for stride in STRIDES:
        columns = width // stride
        count = height // stride * columns
        values, cells = cells[:count], cells[count:]
        probabilities = np.sqrt(np.clip(values[:, 0], 0, 1) * np.clip(values[:, 1], 0, 1))
        [passed] = np.nonzero(probabilities >= least)
        values = values[passed]
        corners = np.stack([passed % columns, passed // columns], axis=1).astype(np.float32)
        centres, halves = corners + values[:, 2:4], np.exp(values[:, 4:6]) / 2
        landmarks = values[:, 6:] + np.tile(corners, 5)
        boxes = np.concatenate([centres - halves, centres + halves, landmarks], axis=1) * stride
        found.append(np.concatenate([boxes, probabilities[passed, None]], axis=1))
    return np.concatenate(found)
