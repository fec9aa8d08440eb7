"""Reads complete rows of the face set in id order, for exports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from chalicelib.faces import Embedding
from chalicelib.stores.database.base import Database
from chalicelib.stores.embedding_bytes import from_bytes

_PAGE = """SELECT face.id, face.face_token, face.face_name, named.name, face.created_at, face.crop, vector.embedding
    FROM face_set AS face
    JOIN face_set_name AS named ON named.id = face.set_id
    LEFT JOIN face_set_embedding AS vector ON vector.face_id = face.id AND vector.embedding_id = ?
    WHERE face.id > ? AND face.id <= ? ORDER BY face.id LIMIT ?"""
_LABELS = "SELECT id, face_token, face_name FROM face_set WHERE id > ? AND id <= ? ORDER BY id"
_PRESENT = "SELECT face_token FROM face_set WHERE face_token IN ({marks})"

LARGEST_ID = 2**63 - 1


class WholeFace(NamedTuple):
    """A complete row. `added_at` is in seconds since 1970; `embedding` is None without a vector under the model."""

    id: int
    token: str
    name: str
    face_set: str
    added_at: int
    crop: str
    embedding: Embedding | None


class Label(NamedTuple):
    """The token and name of a face. Of a face's fields, only the name may change."""

    id: int
    token: str
    name: str


class ExportedFaces:
    """Reads complete faces. Every method raises ServiceError as `Database.read` does."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, embedding_id: str, after: int, upto: int, limit: int) -> list[WholeFace]:
        """Return the first `limit` faces with `after` < id <= `upto`, with their vectors under one model."""
        rows = self._database.read(_PAGE, (embedding_id, after, upto, limit))
        return [
            WholeFace(face_id, token, name, face_set, added_at, crop, None if data is None else from_bytes(data))
            for face_id, token, name, face_set, added_at, crop, data in rows
        ]

    def labels(self, after: int, upto: int) -> list[Label]:
        return [Label(*row) for row in self._database.read(_LABELS, (after, upto))]

    def present(self, tokens: Sequence[str]) -> set[str]:
        """Return the tokens that are in the face set. Pass at most a few hundred."""
        if not tokens:
            return set()
        statement = _PRESENT.format(marks=", ".join("?" * len(tokens)))
        return {row[0] for row in self._database.read(statement, list(tokens))}
