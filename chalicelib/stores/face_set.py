"""The face set: the truth about which faces are known, and a log of its changes for those who keep a copy.

Ids become visible out of order when several transactions insert at once, so copies follow the log and not the ids.
Every transaction that adds or removes a face raises the counter in `face_set_version` last; the lock of its row makes
the log's versions appear in the order of the commits, without gaps.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chalicelib.errors import internal_error
from chalicelib.faces import Embedding, KnownFace
from chalicelib.stores.database import Database, Row, Transaction
from chalicelib.stores.embedding_bytes import from_bytes, to_bytes

MAX_IDS_PER_STATEMENT = 500
MAX_CHANGES_PER_POLL = 10_000

_INSERT = """INSERT INTO face_set (face_token, face_name, embedding_id, embedding, crop, created_at)
    VALUES (?, ?, ?, ?, ?, ?)"""
_RENAME = "UPDATE face_set SET face_name = ? WHERE face_token = ?"
_FIND = "SELECT id, crop FROM face_set WHERE face_token = ? FOR UPDATE"
_DELETE = "DELETE FROM face_set WHERE id = ?"
_RAISE_VERSION = "UPDATE face_set_version SET version = version + 1 WHERE id = 1"
_LOG_CHANGE = (
    "INSERT INTO face_set_change (version, op, face_id) SELECT version, ?, ? FROM face_set_version WHERE id = 1"
)

_GET = "SELECT face_token, face_name, embedding, embedding_id, crop FROM face_set WHERE face_token = ?"
_COUNT = "SELECT COUNT(*) FROM face_set"
_VERSION = "SELECT version FROM face_set_version WHERE id = 1"
_SCAN = "SELECT id, embedding FROM face_set WHERE id > ? AND embedding_id = ? ORDER BY id LIMIT ?"
# The counter's row comes even without a change, so that a log whose end was pruned is told from one without news.
_CHANGES = """SELECT latest.version, log.version, log.op, log.face_id, face.embedding_id, face.embedding
    FROM face_set_version AS latest
    LEFT JOIN face_set_change AS log ON log.version > ? AND log.version <= ?
    LEFT JOIN face_set AS face ON face.id = log.face_id
    WHERE latest.id = 1"""

_log = logging.getLogger(__name__)


class Operation(IntEnum):
    ADD = 1
    REMOVE = 2


class FaceRow(NamedTuple):
    id: int
    token: str
    name: str
    embedding: Embedding


class Change(NamedTuple):
    """One entry of the log. The embedding and its id are None when the face is no longer in the face set."""

    version: int
    operation: Operation
    face_id: int
    embedding_id: str | None
    embedding: Embedding | None


class FaceSet:
    """The faces that were added and not removed.

    Tokens must be such as `faces.is_token` accepts. Every method raises ServiceError as `Database.read` and
    `Database.write` do.

    Parameters
    ----------
    clock
        Returns the seconds since 1970.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def add(self, face: KnownFace) -> bool:
        """Add a face and return True; when its token is already there, only rename that face and return False."""
        row = (
            face.token,
            face.name,
            face.embedding_id,
            to_bytes(face.embedding),
            face.crop,
            int(self._clock()),
        )

        def work(transaction: Transaction) -> bool:
            face_id = transaction.insert(_INSERT, row)
            if face_id is None:
                transaction.execute(_RENAME, (face.name, face.token))
                return False
            _log_change(transaction, Operation.ADD, face_id)
            return True

        return self._database.write(work)

    def rename(self, token: str, name: str) -> bool:
        """Return False when the token is not there. Copies hold no names, so the log does not mention it."""
        return self._database.write(lambda transaction: transaction.execute(_RENAME, (name, token))) > 0

    def remove(self, token: str) -> str | None:
        """Remove a face; return its crop's name, or None when the token is not there."""

        def work(transaction: Transaction) -> str | None:
            rows = transaction.query(_FIND, (token,))
            if not rows:
                return None
            face_id, crop = rows[0]
            transaction.execute(_DELETE, (face_id,))
            _log_change(transaction, Operation.REMOVE, face_id)
            return str(crop)

        return self._database.write(work)

    def get(self, token: str) -> KnownFace | None:
        rows = self._database.read(_GET, (token,))
        if not rows:
            return None
        token, name, embedding, embedding_id, crop = rows[0]
        return KnownFace(token, name, from_bytes(embedding), embedding_id, crop)

    def count(self) -> int:
        return int(self._database.read(_COUNT)[0][0])

    def version(self) -> int:
        """Return the number of faces that were ever added or removed."""
        return int(self._database.read(_VERSION)[0][0])

    def scan(self, embedding_id: str, batch_size: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Yield all faces of one embedding id in the order of their ids, at most `batch_size` at a time.

        Batches are read one after the other: changes made meanwhile may or may not be seen. Take `version` before the
        first batch and apply `changes_since` it after the last.

        Yields
        ------
        ids : n
        embeddings : n x d
        """
        last_id = 0
        while rows := self._database.read(_SCAN, (last_id, embedding_id, batch_size)):
            ids = np.array([row[0] for row in rows], dtype=np.int64)
            yield ids, np.stack([from_bytes(row[1]) for row in rows])
            last_id = rows[-1][0]

    def fetch(self, ids: Sequence[int] | NDArray[np.int64]) -> list[FaceRow]:
        """Return the rows of those ids that are still there, in no particular order."""
        found: list[FaceRow] = []
        for start in range(0, len(ids), MAX_IDS_PER_STATEMENT):
            chunk = [int(face_id) for face_id in ids[start : start + MAX_IDS_PER_STATEMENT]]
            marks = ", ".join("?" * len(chunk))
            rows = self._database.read(
                f"SELECT id, face_token, face_name, embedding FROM face_set WHERE id IN ({marks})",  # noqa: S608 - marks only
                chunk,
            )
            found += [FaceRow(face_id, token, name, from_bytes(data)) for face_id, token, name, data in rows]
        return found

    def changes_since(self, version: int, limit: int = MAX_CHANGES_PER_POLL) -> list[Change] | None:
        """Return the changes after `version`, oldest first and without gaps, by one statement.

        Returns
        -------
        list of Change, or None
            At most `limit` of them; when there are as many, more may follow. None when the log does not lead from
            `version` to the present: it was pruned, or the database replaced. The face set must then be read anew.
        """
        rows = self._database.read(_CHANGES, (version, version + limit))
        # Sorted here: MySQL would copy the embeddings into a temporary table for it.
        changes = sorted((_change(row) for row in rows if row[1] is not None), key=lambda change: change.version)
        latest = rows[0][0]
        expected = range(version + 1, min(latest, version + limit) + 1)
        if version > latest or [change.version for change in changes] != list(expected):
            return None
        return changes


def _log_change(transaction: Transaction, operation: Operation, face_id: int) -> None:
    """Must come last: from here to the commit no other transaction can log a change."""
    transaction.execute(_RAISE_VERSION)
    if transaction.execute(_LOG_CHANGE, (int(operation), face_id)) != 1:
        _log.error("face_set_version has no row: run the migration")
        raise internal_error()


def _change(row: Row) -> Change:
    _, version, operation, face_id, embedding_id, embedding = row
    return Change(
        version, Operation(operation), face_id, embedding_id, None if embedding is None else from_bytes(embedding)
    )
