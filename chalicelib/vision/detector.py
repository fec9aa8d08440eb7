"""The interface of the face detectors, which find faces and their five landmarks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from chalicelib.faces import DetectedFace, Found, Image

# Only this many faces of an image are embedded, the largest ones. This bounds the time and memory that one picture can
# cost. docs/benchmarks.md has the time for the worst pictures.
MAX_FACES = 200


class Detector(Protocol):
    def detect(self, image: Image) -> Found[DetectedFace]:
        """Return the faces in an upright RGB image, at most MAX_FACES, with boxes inside the image.

        Raises
        ------
        ServiceError
            503 if the request has run out of time.
        """
        ...


def largest(faces: Iterable[DetectedFace], *, truncated: bool) -> Found[DetectedFace]:
    """Return the MAX_FACES largest faces; `truncated` is True if the detector has already dropped some."""
    ordered = sorted(faces, key=lambda face: (-face.box.area, face.box.left, face.box.top))
    return Found(ordered[:MAX_FACES], truncated=truncated or len(ordered) > MAX_FACES)
