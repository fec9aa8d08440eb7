"""The face set's rows with all they hold, in the order of their ids: what an export reads."""

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
    """`added_at` is in seconds since 1970; the embedding is None when the face has none under the model."""

    id: int
    token: str
    name: str
    face_set: str
    added_at: int
    crop: str
    embedding: Embedding | None


class Label(NamedTuple):
    """What may change of a face while it is there."""

    id: int
    token: str
    name: str


class ExportedFaces:
    """Every method raises ServiceError as `Database.read` does."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, embedding_id: str, after: int, upto: int, limit: int) -> list[WholeFace]:
        """Return the first faces with ids from above `after` up to `upto`, with their vectors under one model."""
        rows = self._database.read(_PAGE, (embedding_id, after, upto, limit))
        return [
            WholeFace(face_id, token, name, face_set, added_at, crop, None if data is None else from_bytes(data))
            for face_id, token, name, face_set, added_at, crop, data in rows
        ]

    def labels(self, after: int, upto: int) -> list[Label]:
        return [Label(*row) for row in self._database.read(_LABELS, (after, upto))]

    def present(self, tokens: Sequence[str]) -> set[str]:
        """Return those of at most some hundred tokens that are in the face set."""
        if not tokens:
            return set()
        statement = _PRESENT.format(marks=", ".join("?" * len(tokens)))
        return {row[0] for row in self._database.read(statement, list(tokens))}
