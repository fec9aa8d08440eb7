"""Computes embeddings from saved face crops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from chalicelib.faces import DetectedFace, Embedding, Image, Landmarks
from chalicelib.images import decoding
from chalicelib.stores.aws.crops import Crop
from chalicelib.vision.model import Model

# The detectors' smallest picture side in pixels; smaller crops get a border.
SMALLEST_SIDE_PX = 48
# The largest mean distance between another detector's landmarks and the crop's stored landmarks, as a share of the
# stored points' spread. Detectors differ by a tenth of the spread; another face in the crop, by more than all of it.
FARTHEST = 0.5


class Embedded(NamedTuple):
    """A crop's embedding.

    `found_again` is False when the model's own detector missed the face, so another detector's landmarks were used.
    """

    embedding: Embedding
    found_again: bool


class CropEmbedder:
    """Embeds crops under one model. Thread-safe."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def embed(self, crops: Sequence[Crop | None]) -> list[Embedded | None]:
        """Return an embedding for every crop; None for a crop that is missing, unreadable or shows no face."""
        chips: list[Image] = []
        found: list[bool | None] = []
        for crop in crops:
            image = None if crop is None else decoding.decode_crop(crop.jpeg)
            if crop is None or image is None:
                found.append(None)
                continue
            landmarks, again = self._landmarks(image, crop)
            found.append(None if landmarks is None else again)
            if landmarks is not None:
                chips.append(self._model.embedder.chip(image, landmarks))
        embeddings = iter(self._model.embedder.embed_chips(chips))
        return [None if again is None else Embedded(next(embeddings), again) for again in found]

    def _landmarks(self, image: Image, crop: Crop) -> tuple[Landmarks | None, bool]:
        """Return the landmarks, and whether the model's own detector found them."""
        if crop.landmarks is not None and crop.detector_id == self._model.detector_id:
            return crop.landmarks, True
        faces = _detect(self._model, image)
        if crop.landmarks is None:
            return (faces[0].landmarks, True) if faces else (None, False)
        stored = crop.landmarks
        nearest = min(faces, key=lambda face: _distance(face.landmarks, stored), default=None)
        if nearest is not None and _distance(nearest.landmarks, stored) <= FARTHEST:
            return nearest.landmarks, True
        return stored, False


def _detect(model: Model, image: Image) -> list[DetectedFace]:
    """Return a crop's faces, largest first; boxes are in pixels of the bordered crop, landmarks of the crop itself."""
    height, width = image.shape[:2]
    left, top = max(0, SMALLEST_SIDE_PX - width) // 2, max(0, SMALLEST_SIDE_PX - height) // 2
    bordered = np.zeros((max(height, SMALLEST_SIDE_PX), max(width, SMALLEST_SIDE_PX), 3), np.uint8)
    bordered[top : top + height, left : left + width] = image
    shift = np.array([left, top], np.float32)
    return [DetectedFace(face.box, face.landmarks - shift, face.confidence) for face in model.detector.detect(bordered)]


def _distance(landmarks: Landmarks, stored: Landmarks) -> float:
    """Return the mean distance between landmarks and stored landmarks, as a share of the stored points' spread."""
    spread = np.linalg.norm(stored - stored.mean(axis=0), axis=1).mean()
    return float(np.linalg.norm(landmarks - stored, axis=1).mean() / max(spread, 1e-6))
