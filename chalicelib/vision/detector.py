"""Finds faces and their five landmarks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from chalicelib.faces import DetectedFace, Found, Image

# The largest faces of an image, which go on to be embedded: a bound on the work and the memory that one picture can
# cause. docs/benchmarks.md has the time that the worst pictures take.
MAX_FACES = 200


class Detector(Protocol):
    def detect(self, image: Image) -> Found[DetectedFace]:
        """Return the faces of an upright RGB image, at most MAX_FACES; boxes lie inside the image.

        Raises
        ------
        ServiceError
            503 when the request's time is over.
        """
        ...


def largest(faces: Iterable[DetectedFace], *, truncated: bool) -> Found[DetectedFace]:
    """Return the MAX_FACES largest faces; `truncated` says whether the detector has already left some out."""
    ordered = sorted(faces, key=lambda face: (-face.box.area, face.box.left, face.box.top))
    return Found(ordered[:MAX_FACES], truncated=truncated or len(ordered) > MAX_FACES)
