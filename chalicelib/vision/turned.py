"""Finds faces in pictures that lie on their side or are upside down."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from chalicelib.faces import Box, DetectedFace, Found, Image, Landmarks
from chalicelib.vision.detector import Detector, largest

# Degrees counterclockwise. The detectors find nearly all faces that lean by up to 22 degrees, and half of the faces
# that lean by 45. The diagonals therefore come after the quarter turns.
QUARTERS = (90, 270, 180)
DIAGONALS = (45, 135, 225, 315)


class Confidences(NamedTuple):
    """What a detector's confidence says of a face.

    A face found with less than `doubtful` may lie on its side and have wrong landmarks, so the picture is also searched
    turned. A doubtful face is replaced by faces that a turn finds with at least `certain`. A quarter turn may find a
    face that leans by 45 degrees with less confidence and wrong landmarks: then the diagonals are tried.
    """

    doubtful: float
    certain: float


# Of 53 people, MTCNN finds 5 % with less than 0.97 when they lie, and 2 % when they stand. YuNet finds none with more
# than 0.89 when they lie, and all 53 and 386 faces of LFW with more when they stand. YuNet with O-Net finds all 53 and
# 400 faces of LFW with more than 0.94 when they stand, and 3 % of LFW's when they lie.
CONFIDENCES = {
    "mtcnn": Confidences(0.97, 0.99),
    "yunet": Confidences(0.89, 0.9),
    "yunet-onet": Confidences(0.94, 0.95),
}
# Before a picture is searched turned, its longer side is reduced to this. This bounds the cost of a picture without a
# face. A face that lies on its side is found if it is at most this many times smaller than the picture's side:
# 2048 / 30, or 1024 / 30 on a diagonal.
QUARTERS_SIDE_PX = 2048
DIAGONALS_SIDE_PX = 1024


class TurnedDetector:
    """Searches a picture as it stands and, if the most certain face is doubtful or there is none, turned.

    The landmarks of a face that was found turned are in the order of the upright face: the left eye is the one that is
    on the left when the face is upright. Boxes are upright in the picture as it stands.
    """

    def __init__(self, detector: Detector, confidences: Confidences, least_confidence: float) -> None:
        """`least_confidence` applies to faces found turned: seven searches find more false faces than one."""
        self._detector = detector
        self._doubtful, self._certain = confidences
        self._least_confidence = least_confidence

    def detect(self, image: Image) -> Found[DetectedFace]:
        """See `Detector.detect`."""
        found = self._detector.detect(image)
        if _confidence(found) >= self._doubtful:
            return found
        turned = self._turned(image)
        return turned if not found or _confidence(turned) >= self._certain else found

    def _turned(self, image: Image) -> Found[DetectedFace]:
        quarters = self._best(image, QUARTERS, QUARTERS_SIDE_PX)
        if _confidence(quarters) >= self._certain:
            return quarters
        return max(quarters, self._best(image, DIAGONALS, DIAGONALS_SIDE_PX), key=_confidence)

    def _best(self, image: Image, degrees: Iterable[int], side: int) -> Found[DetectedFace]:
        """Return the faces of the turn with the most certain face."""
        small = _reduced(image, side)
        looks = [self._look(small, turn) for turn in degrees]
        best = max(looks, key=_confidence)
        scale = np.array(image.shape[1::-1]) / small.shape[1::-1]
        return largest((_enlarged(face, scale) for face in best), truncated=best.truncated)

    def _look(self, image: Image, degrees: int) -> Found[DetectedFace]:
        """Search the image turned; return its faces in the coordinates of the image as it stands."""
        matrix, size = _turn(image, degrees)
        if degrees % 90 == 0:  # needs no interpolation
            turned = np.ascontiguousarray(np.rot90(image, degrees // 90))
        else:  # pixels are interpolated, and the corners are black
            turned = np.asarray(cv2.warpAffine(image, matrix, size), np.uint8)
        found = self._detector.detect(turned)
        height, width = image.shape[:2]
        certain = (face for face in found if face.confidence >= self._least_confidence)
        return Found((_turned_back(face, matrix, width, height) for face in certain), truncated=found.truncated)


def upright(image: Image, face: DetectedFace) -> tuple[Image, DetectedFace]:
    """Return the image and its face, turned by quarters until the face leans by at most 45 degrees."""
    left, right = face.landmarks[0] + face.landmarks[3], face.landmarks[1] + face.landmarks[4]
    across, down = map(float, right - left)
    quarters = round(np.degrees(np.arctan2(down, across)) / 90) % 4
    if not quarters:
        return image, face
    matrix, _ = _turn(image, 90 * quarters)
    corners = np.array([[face.box.left, face.box.top], [face.box.right, face.box.bottom]]) - 0.5
    (x0, y0), (x1, y1) = corners @ matrix[:, :2].T + matrix[:, 2] + 0.5
    box = Box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
    landmarks = np.asarray(face.landmarks @ matrix[:, :2].T + matrix[:, 2], np.float32)
    return np.rot90(image, quarters), DetectedFace(box, landmarks, face.confidence)


def _confidence(faces: Found[DetectedFace]) -> float:
    return max((face.confidence for face in faces), default=0.0)


def _turn(image: Image, degrees: int) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """Return the matrix that maps points of the image to the image turned counterclockwise, and the new size.

    The matrix is 2 x 3, for [x, y, 1] with whole numbers at the centres of pixels. The size is (width, height).
    """
    height, width = image.shape[:2]
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    rotation = np.array([[cosine, sine], [-sine, cosine]])
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]]) @ rotation.T
    least = corners.min(axis=0)
    across, down = np.ceil(np.round(corners.max(axis=0) - least, 6)).astype(int)
    # Whole numbers are the centres of pixels: pixel x covers [x - 0.5, x + 0.5).
    shift = rotation @ (0.5, 0.5) - least - 0.5
    return np.column_stack([rotation, shift]), (int(across), int(down))


def _turned_back(face: DetectedFace, matrix: NDArray[np.float64], width: int, height: int) -> DetectedFace:
    """Return the face in the coordinates of the picture as it stands, with an upright box of the same size."""
    box = face.box
    middle = np.array([[(box.left + box.right) / 2, (box.top + box.bottom) / 2]], np.float32)
    [(x, y)] = _back(middle - 0.5, matrix) + 0.5
    across, down = (box.right - box.left) / 2, (box.bottom - box.top) / 2
    if abs(matrix[0, 0]) < 0.5:  # quarter turns swap the sides; on a diagonal, either order fits
        across, down = down, across
    upright = Box(
        float(np.clip(x - across, 0, width)),
        float(np.clip(y - down, 0, height)),
        float(np.clip(x + across, 0, width)),
        float(np.clip(y + down, 0, height)),
    )
    return DetectedFace(upright, _back(face.landmarks, matrix), face.confidence)


def _back(points: Landmarks, matrix: NDArray[np.float64]) -> Landmarks:
    # The inverse of a rotation is its transpose.
    return np.asarray((points - matrix[:, 2]) @ matrix[:, :2], np.float32)


def _reduced(image: Image, side: int) -> Image:
    height, width = image.shape[:2]
    scale = side / max(width, height)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _enlarged(face: DetectedFace, scale: NDArray[np.float64]) -> DetectedFace:
    """Return the face in an image that is `scale` times as large; `scale` is [x, y]."""
    across, down = map(float, scale)
    box = face.box
    return DetectedFace(
        Box(box.left * across, box.top * down, box.right * across, box.bottom * down),
        np.asarray((face.landmarks + 0.5) * scale - 0.5, np.float32),
        face.confidence,
    )
