"""Embeds faces anew from the crops that were saved of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from chalicelib.faces import DetectedFace, Embedding, Image, Landmarks
from chalicelib.images import decoding
from chalicelib.stores.aws.crops import Crop
from chalicelib.vision.model import Model

# Detectors are given pictures of at least this many pixels a side; smaller crops get a border.
SMALLEST_SIDE_PX = 48
# How far another detector's landmarks may lie from those stored with the crop, on the average and as a part of these
# points' own spread. Detectors differ by a tenth of it, another face in the crop by more than the whole.
FARTHEST = 0.5


class Embedded(NamedTuple):
    """`found_again` is False when the model's own detector did not find the face, so another one's landmarks served."""

    embedding: Embedding
    found_again: bool


class CropEmbedder:
    """Safe to use from several threads at once."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def embed(self, crops: Sequence[Crop | None]) -> list[Embedded | None]:
        """Return an embedding for every crop; None for one that is missing or unreadable, or shows no face at all."""
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
        """Return landmarks, and whether they are the model's own detector's."""
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
    """Return the faces of a crop, the largest first; boxes are those of the crop with its border."""
    height, width = image.shape[:2]
    left, top = max(0, SMALLEST_SIDE_PX - width) // 2, max(0, SMALLEST_SIDE_PX - height) // 2
    bordered = np.zeros((max(height, SMALLEST_SIDE_PX), max(width, SMALLEST_SIDE_PX), 3), np.uint8)
    bordered[top : top + height, left : left + width] = image
    shift = np.array([left, top], np.float32)
    return [DetectedFace(face.box, face.landmarks - shift, face.confidence) for face in model.detector.detect(bordered)]


def _distance(landmarks: Landmarks, stored: Landmarks) -> float:
    """Return how far landmarks lie from those that are stored, on the average, as a part of the latter's spread."""
    spread = np.linalg.norm(stored - stored.mean(axis=0), axis=1).mean()
    return float(np.linalg.norm(landmarks - stored, axis=1).mean() / max(spread, 1e-6))
