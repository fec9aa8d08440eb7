"""Writes and reads the log of the face set's changes.

As its last step, each transaction raises the counter in `face_set_version` and logs its changes. The lock on the
counter's row makes versions appear in commit order, without gaps. The lock also blocks a switch of the model until the
commit.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from chalicelib.errors import StoreFailedError
from chalicelib.faces import Embedding
from chalicelib.stores.database.base import Database, Row, Transaction
from chalicelib.stores.embedding_bytes import from_bytes
from chalicelib.stores.face_set.active_model import NO_MODEL, check_model, only_row

_RAISE_VERSION = "UPDATE face_set_version SET version = version + ? WHERE id = 1"
# `counts_people` shows that the writer also counts faces and people: see the schema.
_LOG_CHANGE = """INSERT INTO face_set_change (version, op, face_id, counts_people)
    SELECT version, ?, ?, 1 FROM face_set_version WHERE id = 1"""
# Logs nothing when a model is given and another model is active.
_LOG_ADDITIONS = """INSERT INTO face_set_change (version, op, face_id, counts_people)
    SELECT counter.version - ? + ROW_NUMBER() OVER (ORDER BY face.id), ?, face.id, 1
    FROM face_set AS face
    JOIN face_set_version AS counter ON counter.id = 1
    JOIN face_set_model AS model ON model.id = 1 AND model.embedding_id = COALESCE(?, model.embedding_id)
    WHERE face.id IN ({marks})"""
_VERSION = "SELECT version FROM face_set_version WHERE id = 1 FOR UPDATE"
_INSERT = "INSERT INTO face_set_change (version, op, face_id, counts_people) VALUES (?, ?, ?, 1)"
_CLAIM = "UPDATE face_set_model SET embedding_id = ? WHERE id = 1 AND embedding_id = ?"
_MODEL = "SELECT embedding_id FROM face_set_model WHERE id = 1"
# Returns the counter's row even without a change, which distinguishes a pruned log from an unchanged one.
_CHANGES = """SELECT latest.version, log.version, log.op, log.face_id, vector.embedding, face.set_id
    FROM face_set_version AS latest
    LEFT JOIN face_set_change AS log ON log.version > ? AND log.version <= ?
    LEFT JOIN face_set AS face ON face.id = log.face_id
    LEFT JOIN face_set_embedding AS vector ON vector.face_id = face.id AND vector.embedding_id = ?
    WHERE latest.id = 1"""

_log = logging.getLogger(__name__)


class Operation(IntEnum):
    ADD = 1
    """The face has a new vector: it was added, or embedded under another model."""
    REMOVE = 2
    DISCARD = 3
    """Vectors of inactive models were erased in this id's range: its segments must be packed again."""


class Change(NamedTuple):
    """One entry of the log. `embedding` is None when the face was removed or has no vector under the reader's model."""

    version: int
    operation: Operation
    face_id: int
    embedding: Embedding | None
    set_id: int | None


def lock_log(transaction: Transaction) -> int:
    """Make all other writers wait until the transaction ends; return the version."""
    return int(only_row(transaction.query(_VERSION))[0])


def log_change(transaction: Transaction, operation: Operation, face_id: int) -> None:
    transaction.execute(_RAISE_VERSION, (1,))
    _expect(transaction.execute(_LOG_CHANGE, (int(operation), face_id)), 1)


def log_removals(transaction: Transaction, face_ids: Sequence[int]) -> None:
    transaction.execute(_RAISE_VERSION, (len(face_ids),))
    version = lock_log(transaction)
    first = version - len(face_ids) + 1
    transaction.execute_many(
        _INSERT, [(first + i, int(Operation.REMOVE), face_id) for i, face_id in enumerate(face_ids)]
    )


def log_additions(transaction: Transaction, face_ids: Sequence[int], active: str | None = None) -> None:
    """Log that faces have new vectors, in the order of their ids.

    Parameters
    ----------
    active
        The embedding id that must be active. It becomes active if the face set has no model yet. None accepts any.

    Raises
    ------
    ModelChangedError
        When another model is active; the caller must then roll the transaction back.
    """
    statement = _LOG_ADDITIONS.format(marks=", ".join("?" * len(face_ids)))
    parameters = (len(face_ids), int(Operation.ADD), active, *face_ids)
    transaction.execute(_RAISE_VERSION, (len(face_ids),))
    logged = transaction.execute(statement, parameters)
    if not logged and active is not None:
        if transaction.execute(_CLAIM, (active, NO_MODEL)):
            logged = transaction.execute(statement, parameters)
        else:
            check_model(only_row(transaction.query(_MODEL))[0], active)
    _expect(logged, len(face_ids))


def read_changes(database: Database, version: int, embedding_id: str, limit: int) -> list[Change] | None:
    """Return what `FaceSet.changes_since` does."""
    rows = database.read(_CHANGES, (version, version + limit, embedding_id))
    # Sorted in Python: to sort them, MySQL would copy the embeddings into a temporary table.
    changes = sorted((_change(row) for row in rows if row[1] is not None), key=lambda change: change.version)
    latest = rows[0][0]
    expected = range(version + 1, min(latest, version + limit) + 1)
    if version > latest or [change.version for change in changes] != list(expected):
        return None
    return changes


def _change(row: Row) -> Change:
    _, version, operation, face_id, embedding, set_id = row
    return Change(version, Operation(operation), face_id, None if embedding is None else from_bytes(embedding), set_id)


def _expect(logged: int, changes: int) -> None:
    if logged != changes:
        _log.error("face_set_version or face_set_model has no row: run the migration")
        raise StoreFailedError()
