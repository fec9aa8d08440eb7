"""Returns the embeddings of tokens under one model."""

from __future__ import annotations

from chalicelib import errors
from chalicelib.faces import Embedding, TemporaryFace
from chalicelib.service.crop_embedder import CropEmbedder
from chalicelib.stores.aws.crops import CropStore
from chalicelib.stores.aws.tokens import TokenStore
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.vision.model import Model


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

    def temporary(self, token: str) -> TemporaryFace:
        """Return a detected face; if another model embedded it, compute its embedding from the crop."""
        face = self._tokens.get(token)
        if face is None:
            raise errors.unknown_token()
        if face.embedding_id == self._embedding_id:
            return face
        [embedded] = self._crop_embedder.embed([self._crops.read_temporary(face.crop)])
        if embedded is None:  # the crop has expired
            raise errors.unknown_token()
        return face._replace(embedding=embedded.embedding, embedding_id=self._embedding_id)
