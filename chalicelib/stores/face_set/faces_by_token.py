"""Reads known faces by their tokens."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.faces import KnownFace
from chalicelib.stores.database.base import Database
from chalicelib.stores.embedding_bytes import from_bytes
from chalicelib.stores.face_set.active_model import check_model, only_row

MAX_TOKENS_PER_STATEMENT = 500

# Returns the model's row even when there are no such faces.
_GET = """SELECT model.embedding_id, face.face_token, face.face_name, vector.embedding, face.crop, face.set_id
    FROM face_set_model AS model
    LEFT JOIN face_set AS face ON face.face_token IN ({marks})
    LEFT JOIN face_set_embedding AS vector ON vector.face_id = face.id AND vector.embedding_id = model.embedding_id
    WHERE model.id = 1"""


def faces_by_token(database: Database, tokens: Sequence[str], embedding_id: str) -> dict[str, KnownFace]:
    """Return the faces that have a vector under this model, by token.

    Raises
    ------
    ModelChangedError
        When another model is active.
    """
    found: dict[str, KnownFace] = {}
    for start in range(0, len(tokens), MAX_TOKENS_PER_STATEMENT):
        chunk = tokens[start : start + MAX_TOKENS_PER_STATEMENT]
        rows = database.read(_GET.format(marks=", ".join("?" * len(chunk))), list(chunk))
        check_model(only_row(rows)[0], embedding_id)
        found |= {
            token: KnownFace(token, name, from_bytes(embedding), embedding_id, crop, set_id)
            for _, token, name, embedding, crop, set_id in rows
            if embedding is not None
        }
    return found
