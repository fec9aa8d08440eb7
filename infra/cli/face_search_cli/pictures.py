"""Scales pictures down to the service's limits, and draws detected faces on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

QUALITY = 92
# Twice as many steps as from the largest photograph to the smallest that the service accepts.
MAX_STEPS = 12

_GREEN = (80, 220, 60)


class Limits(NamedTuple):
    """The most bytes of a picture, and its longest side in pixels."""

    image_bytes: int
    side_px: int


# Every service accepts these, and two such pictures in one request.
LEAST_LIMITS = Limits(2 * 1024 * 1024, 4096)


def prepare(file: bytes, limits: Callable[[], Limits]) -> bytes:
    """Return a file within the service's limits: the file itself, or the upright picture scaled down, as JPEG.

    A file that is not a picture is returned unchanged; the service then refuses it.

    Parameters
    ----------
    limits
        Asks the service, for a picture that not every service accepts.
    """
    picture = _decode(file)
    if picture is None or _fits(file, picture, LEAST_LIMITS):
        return file
    limit = limits()
    if _fits(file, picture, limit):
        return file
    scale = min(1.0, limit.side_px / max(picture.shape[:2]))
    for _ in range(MAX_STEPS):
        data = _encode(_scaled(picture, scale))
        if len(data) <= limit.image_bytes:
            return data
        scale *= 0.8
    return file


def _fits(file: bytes, picture: NDArray[np.uint8], limit: Limits) -> bool:
    return len(file) <= limit.image_bytes and max(picture.shape[:2]) <= limit.side_px


def annotate(file: bytes, faces: list[dict[str, Any]], into: Path) -> None:
    """Save the picture with a box, the landmarks and a number for each face in a reply of /detect.

    Raises
    ------
    OSError
        When the file cannot be written.
    """
    picture = _decode(file)
    assert picture is not None  # the service has already decoded it
    thickness = max(1, max(picture.shape[:2]) // 400)
    for number, face in enumerate(faces, start=1):
        (left, top), (right, bottom) = (_pixel(face[corner]) for corner in ("top_left", "bottom_right"))
        cv2.rectangle(picture, (left, top), (right, bottom), _GREEN, thickness)
        for point in face.get("landmarks", ()):
            cv2.circle(picture, _pixel(point), 2 * thickness, _GREEN, -1)
        size = max(0.4, thickness * 0.4)
        cv2.putText(picture, str(number), (left, max(12, top - 4)), cv2.FONT_HERSHEY_SIMPLEX, size, _GREEN, thickness)
    extension = ".png" if into.suffix.lower() == ".png" else ".jpg"
    into.write_bytes(cv2.imencode(extension, picture)[1].tobytes())


def _decode(file: bytes) -> NDArray[np.uint8] | None:
    """Return height x width x 3, BGR, upright by its EXIF orientation; None for a file that is not a picture."""
    try:
        return cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR)  # type: ignore[return-value]
    except cv2.error:
        return None


def _scaled(picture: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _encode(picture: NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()


def _pixel(point: list[float]) -> tuple[int, int]:
    return round(point[0]), round(point[1])
