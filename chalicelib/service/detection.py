"""Reads a picture and finds its faces."""

from __future__ import annotations

from chalicelib.faces import DetectedFace, Found, Image
from chalicelib.images import decoding
from chalicelib.images.decoding import Limits
from chalicelib.telemetry.metrics import Metric, measure, timed
from chalicelib.vision.detector import Detector


def detect(detector: Detector, file: bytes, limits: Limits | None = None) -> tuple[Image, Found[DetectedFace]]:
    """Decode a JPEG or PNG file and find its faces, as `decoding.decode` and `Detector.detect` describe.

    Raises
    ------
    ServiceError
        1004 when the file cannot be read.
    """
    image = decoding.decode(file, limits)
    with timed(Metric.DETECT):
        faces = detector.detect(image)
    measure(Metric.FACES_FOUND, len(faces))
    return image, faces
