"""Finds faces and their five landmarks."""

from __future__ import annotations

from typing import Protocol

from chalicelib.faces import DetectedFace, Image


class Detector(Protocol):
    def detect(self, image: Image) -> list[DetectedFace]:
        """Return the faces of an upright RGB image, the largest first; boxes lie inside the image."""
        ...
