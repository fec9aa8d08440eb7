"""Saved crops are good enough to compute embeddings again without another detection."""

from __future__ import annotations

import csv

import cv2
import numpy as np
import pytest

from chalicelib.faces import DetectedFace, Image
from chalicelib.service.face_service import as_crop
from tests.packs import SHARED_FACES, detector, embedder, needs_shared
from tests.pictures import astronaut, read, scaled


def _decode(jpeg: bytes) -> Image:
    """Decode like `decoding.decode`, which would refuse a crop of less than 48 px."""
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB), np.uint8)


def _moved(picture: Image, face: DetectedFace) -> float:
    """Return the distance between a picture's embedding and its crop's. 0.65 would be another person."""
    crop = as_crop(picture, "crop.jpg", face, "")
    assert crop.landmarks is not None
    again = embedder().embed(_decode(crop.jpeg), [crop.landmarks])[0]
    return float(np.linalg.norm(again - embedder().embed(picture, [face.landmarks])[0]))


@pytest.mark.parametrize("side", [512, 300, 150, 1500])
def test_one_faces_crops_give_nearly_the_same_embedding_at_any_size(side: int) -> None:
    picture = scaled(astronaut(), side, side)
    [face] = detector().detect(picture)

    assert _moved(picture, face) < 0.1


@needs_shared
def test_many_peoples_crops_give_nearly_the_same_embeddings() -> None:
    with (SHARED_FACES / "people.csv").open() as file:
        pictures = [read(SHARED_FACES / row["file"]) for row in csv.DictReader(file)]

    moved = [_moved(picture, detector().detect(picture)[0]) for picture in pictures]

    assert np.median(moved) < 0.05
    assert max(moved) < 0.15
