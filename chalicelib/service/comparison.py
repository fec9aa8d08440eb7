"""How far two faces are apart, each the largest of a picture or known by its token."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from chalicelib import errors
from chalicelib.errors import ServiceError
from chalicelib.faces import DetectedFace, Embedding, Quality
from chalicelib.images import decoding
from chalicelib.service.token_embeddings import TokenEmbeddings
from chalicelib.vision import quality
from chalicelib.vision.model import Model


class Picture(NamedTuple):
    """A file, and the name of the argument that it came under."""

    name: str
    file: bytes


class JudgedFace(NamedTuple):
    """The largest face of a picture."""

    detected: DetectedFace
    quality: Quality


class Comparison(NamedTuple):
    """The distance of two faces, and who they are: tokens, or what was found in the pictures."""

    distance: float
    faces: tuple[str | JudgedFace, str | JudgedFace]


class Comparer:
    """Keeps nothing of what it sees."""

    def __init__(self, model: Model, embeddings: TokenEmbeddings) -> None:
        self._model = model
        self._embeddings = embeddings

    def compare(self, one: str | Picture, other: str | Picture) -> Comparison:
        """Compare two faces, each given by a token or a picture.

        Raises
        ------
        ServiceError
            1004 for a picture that cannot be read, 1007 for one without a face, both saying which of the two; 1006 for
            an unknown token, 1003 when a store fails.
        ModelChangedError
            When the known faces are under another model and a token was given.
        """
        (face, embedding), (other_face, other_embedding) = self._look(one), self._look(other)
        # As a search decides: in float64.
        difference = embedding.astype(np.float64) - other_embedding.astype(np.float64)
        return Comparison(float(np.sqrt(np.sum(difference**2))), (face, other_face))

    def _look(self, given: str | Picture) -> tuple[str | JudgedFace, Embedding]:
        if isinstance(given, str):
            return given, self._embeddings.of(given)
        try:
            image = decoding.decode(given.file)
        except ServiceError as error:
            raise errors.file_error(f"{given.name}: {error.detail}", status=error.status) from None
        faces = self._model.detector.detect(image)
        if not faces:
            raise errors.no_face(self._model.smallest_face, given.name)
        embedded = self._model.embedder.measure(image, [faces[0].landmarks])
        judged = quality.judge(image, faces[0], embedded.recognisability[0])
        return JudgedFace(faces[0], judged), embedded.embeddings[0]
