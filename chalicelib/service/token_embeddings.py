"""Returns the embeddings of tokens under one model."""

from __future__ import annotations

from collections.abc import Container, Sequence

import numpy as np
from numpy.typing import NDArray

from chalicelib import deadline, errors
from chalicelib.faces import Embedding, TemporaryFace
from chalicelib.service.crop_embedder import CropEmbedder
from chalicelib.stores.aws.crops import CropStore
from chalicelib.stores.aws.tokens import TokenStore
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.vision.model import Model

# Crops read and embedded at once, between two looks at the request's deadline.
CROPS_AT_ONCE = 16


class TokenEmbeddings:
    """Every method raises `ServiceError`: 1006 for an unknown token, 1003 when a store fails."""

    def __init__(self, model: Model, tokens: TokenStore, crops: CropStore, face_set: FaceSet) -> None:
        self._embedding_id = model.embedding_id
        self._crop_embedder = CropEmbedder(model)
        self._tokens = tokens
        self._crops = crops
        self._face_set = face_set

    def of(self, token: str) -> Embedding:
        """Return the embedding of a known or detected face.

        Raises
        ------
        ModelChangedError
            When the known faces are under another model.
        """
        known = self._face_set.get(token, self._embedding_id)
        return self.temporary(token).embedding if known is None else known.embedding

    def of_many(self, tokens: Sequence[str]) -> NDArray[np.float32]:
        """Return the embeddings of distinct tokens, n x dimension, as `of` does; each store reads many at once."""
        known = self._face_set.get_many(tokens, self._embedding_id)
        detected = self._tokens.get_many([token for token in tokens if token not in known])
        _refuse_unknown(tokens, known.keys() | detected.keys())
        of_this_model = {token: face for token, face in detected.items() if face.embedding_id == self._embedding_id}
        others = [face for token, face in detected.items() if token not in of_this_model]
        embeddings = {token: face.embedding for token, face in known.items()}
        embeddings |= {token: face.embedding for token, face in of_this_model.items()}
        embeddings |= self._embedded_again(others)
        _refuse_unknown(tokens, embeddings)
        return np.stack([embeddings[token] for token in tokens])

    def temporary(self, token: str) -> TemporaryFace:
        """Return a detected face; if another model embedded it, compute its embedding from the crop."""
        face = self._tokens.get(token)
        if face is None:
            raise errors.unknown_token()
        if face.embedding_id == self._embedding_id:
            return face
        embedding = self._embedded_again([face]).get(token)
        if embedding is None:
            raise errors.unknown_token()
        return face._replace(embedding=embedding, embedding_id=self._embedding_id)

    def _embedded_again(self, faces: Sequence[TemporaryFace]) -> dict[str, Embedding]:
        """Return embeddings under this model by token, without faces with a crop that has expired."""
        found: dict[str, Embedding] = {}
        for start in range(0, len(faces), CROPS_AT_ONCE):
            deadline.check()
            some = faces[start : start + CROPS_AT_ONCE]
            embedded = self._crop_embedder.embed(self._crops.read_temporary([face.crop for face in some]))
            found |= {face.token: one.embedding for face, one in zip(some, embedded, strict=True) if one is not None}
        return found


def _refuse_unknown(tokens: Sequence[str], found: Container[str]) -> None:
    unknown = [token for token in tokens if token not in found]
    if unknown:
        raise errors.unknown_tokens(unknown, len(tokens))
