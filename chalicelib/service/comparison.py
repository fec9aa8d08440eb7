"""How far two faces are apart, each the largest of a picture or known by its token."""

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
    """A file, and the name of the argument that it came under."""

    name: str
    file: bytes


class JudgedFace(NamedTuple):
    """The largest face of a picture."""

    detected: DetectedFace
    quality: Quality


class Comparison(NamedTuple):
    """The distance of two faces, the faces themselves, and the thresholds of the model that embedded them.

    A face is its token, or what was found in its picture.
    """

    distance: float
    faces: tuple[str | JudgedFace, str | JudgedFace]
    thresholds: tuple[Threshold, ...]


def compare(model: Model, embeddings: TokenEmbeddings, one: str | Picture, other: str | Picture) -> Comparison:
    """Compare two faces, each given by a token or a picture.

    Raises
    ------
    ServiceError
        1004 for a picture that cannot be read, 1007 for one without a face, both saying which of the two; 1006 for
        an unknown token, 1003 when a store fails.
    ModelChangedError
        When the known faces are under another model and a token was given.
    """
    (face, embedding), (other_face, other_embedding) = (_look(model, embeddings, given) for given in (one, other))
    # As a search decides: in float64.
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
