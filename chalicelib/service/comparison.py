"""Measures the distance between two faces, each given by its token or as the largest face of a picture."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from chalicelib import errors
from chalicelib.errors import ServiceError
from chalicelib.faces import DetectedFace, Embedding, Quality
from chalicelib.service.detection import detect
from chalicelib.service.token_embeddings import TokenEmbeddings
from chalicelib.vision import quality
from chalicelib.vision.model import Model
from chalicelib.vision.model_pack import Threshold


class Picture(NamedTuple):
    """A picture file and the name of its argument."""

    name: str
    file: bytes


class JudgedFace(NamedTuple):
    """The largest face of a picture."""

    detected: DetectedFace
    quality: Quality


class Comparison(NamedTuple):
    """The distance between two faces, the faces, and the thresholds of the model that embedded them.

    Each face is its token, or the largest face of its picture.
    """

    distance: float
    faces: tuple[str | JudgedFace, str | JudgedFace]
    thresholds: tuple[Threshold, ...]


def compare(model: Model, embeddings: TokenEmbeddings, one: str | Picture, other: str | Picture) -> Comparison:
    """Compare two faces, each given by a token or a picture.

    Raises
    ------
    ServiceError
        1004 for a picture that cannot be read, 1007 for a picture without a face; both details name the picture. 1006
        for an unknown token, 1003 when a store fails.
    ModelChangedError
        When the known faces are under another model and a token was given.
    """
    (face, embedding), (other_face, other_embedding) = (_look(model, embeddings, given) for given in (one, other))
    # In float64, like a search, so that both decide alike.
    difference = embedding.astype(np.float64) - other_embedding.astype(np.float64)
    return Comparison(float(np.sqrt(np.sum(difference**2))), (face, other_face), model.thresholds)


def _look(model: Model, embeddings: TokenEmbeddings, given: str | Picture) -> tuple[str | JudgedFace, Embedding]:
    if isinstance(given, str):
        return given, embeddings.of(given)
    try:
        image, faces = detect(model.detector, given.file)
    except ServiceError as error:
        if error.code != "1004":
            raise
        raise errors.file_error(f"{given.name}: {error.detail}", status=error.status) from None
    if not faces:
        raise errors.no_face(model.smallest_face, given.name)
    embedded = model.embedder.measure(image, [faces[0].landmarks])
    judged = quality.judge(image, faces[0], embedded.recognisability[0])
    return JudgedFace(faces[0], judged), embedded.embeddings[0]
