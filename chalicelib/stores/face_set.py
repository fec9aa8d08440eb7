"""The face set: the truth about which faces are known, and a log of its changes for those who keep a copy.

Ids become visible out of order when several transactions insert at once, so copies follow the log and not the ids.
Every transaction that adds or removes a face raises the counter in `face_set_version` last; the lock of its row makes
the log's versions appear in the order of the commits, without gaps.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from enum import IntEnum
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chalicelib.errors import internal_error
from chalicelib.faces import Embedding, KnownFace
from chalicelib.stores.database import Database, Row, Transaction
from chalicelib.stores.embedding_bytes import from_bytes, to_bytes

MAX_IDS_PER_STATEMENT = 500
# Below what a statement may have in parameters, and short enough that nobody waits long for the counter.
MAX_FACES_PER_ADDITION = 1_000
MAX_CHANGES_PER_POLL = 10_000
MAX_CHANGES_PER_PRUNING = 10_000

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
# The counter's row comes even without a change, so that a log whose end was pruned is told from one without news.
_CHANGES = """SELECT latest.version, log.version, log.op, log.face_id, face.embedding_id, face.embedding
    FROM face_set_version AS latest
    LEFT JOIN face_set_change AS log ON log.version > ? AND log.version <= ?
    LEFT JOIN face_set AS face ON face.id = log.face_id
    WHERE latest.id = 1"""

_VECTORS = "SELECT id, embedding_id, embedding FROM face_set WHERE id >= ? AND id < ?"
# The first id of every range that was touched.
_TOUCHED = "SELECT DISTINCT face_id - face_id % ? FROM face_set_change WHERE version > ? AND version <= ?"
_PRUNED_VERSION = "SELECT pruned_version FROM face_set_version WHERE id = 1"
_PRUNE = "UPDATE face_set_version SET pruned_version = ? WHERE id = 1 AND pruned_version < ?"
_DELETE_CHANGES = "DELETE FROM face_set_change WHERE version > ? AND version <= ?"

_log = logging.getLogger(__name__)


class Operation(IntEnum):
    ADD = 1
    REMOVE = 2


class FaceRow(NamedTuple):
    id: int
    token: str
    name: str
    embedding: Embedding


class VectorRow(NamedTuple):
    id: int
    embedding_id: str
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

    def add_many(self, faces: Sequence[KnownFace]) -> int:
        """Add faces whose tokens are all different, in one transaction; rename those that are already there.

        The counter, which all writers wait for, is raised once: thousands of faces a second go in this way, some
        hundreds one by one. At most MAX_FACES_PER_ADDITION at a time.

        Returns
        -------
        int
            How many were added.
        """
        assert len(faces) <= MAX_FACES_PER_ADDITION
        now = int(self._clock())
        marks = ", ".join("?" * len(faces))
        tokens = [face.token for face in faces]

        def work(transaction: Transaction) -> int:
            there = {
                token
                for (token,) in transaction.query(
                    f"SELECT face_token FROM face_set WHERE face_token IN ({marks}) FOR UPDATE",  # noqa: S608 - marks only
                    tokens,
                )
            }
            new = [face for face in faces if face.token not in there]
            for face in faces:
                if face.token in there:
                    transaction.execute(_RENAME, (face.name, face.token))
            if not new:
                return 0
            transaction.execute_many(
                _INSERT, [(f.token, f.name, f.embedding_id, to_bytes(f.embedding), f.crop, now) for f in new]
            )
            transaction.execute("UPDATE face_set_version SET version = version + ? WHERE id = 1", (len(new),))
            new_marks = ", ".join("?" * len(new))
            logged = transaction.execute(
                f"""INSERT INTO face_set_change
                    SELECT counter.version - ? + ROW_NUMBER() OVER (ORDER BY face.id), ?, face.id
                    FROM face_set AS face JOIN face_set_version AS counter ON counter.id = 1
                    WHERE face.face_token IN ({new_marks})""",  # noqa: S608 - marks only
                (len(new), int(Operation.ADD), *(face.token for face in new)),
            )
            if logged != len(new):
                _log.error("face_set_version has no row: run the migration")
                raise internal_error()
            return len(new)

        return self._database.write(work) if faces else 0

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

    def vectors(self, first_id: int, end_id: int) -> list[VectorRow]:
        """Return the faces with ids from `first_id` to below `end_id`."""
        return [
            VectorRow(row[0], row[1], from_bytes(row[2])) for row in self._database.read(_VECTORS, (first_id, end_id))
        ]

    def touched(self, after: int, upto: int, size: int) -> list[int]:
        """Return which ranges of `size` ids hold a face that was added or removed in the versions (after, upto]."""
        rows = self._database.read(_TOUCHED, (size, after, upto))
        return sorted(first_id // size for (first_id,) in rows)

    def prune(self, version: int) -> None:
        """Forget the changes up to a version, some thousands a transaction; who has not seen them reads anew."""
        pruned = int(self._database.read(_PRUNED_VERSION)[0][0])
        while pruned < version:
            upto = min(pruned + MAX_CHANGES_PER_PRUNING, version)
            self._database.write(partial(_prune, after=pruned, upto=upto))
            pruned = upto

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


def _prune(transaction: Transaction, *, after: int, upto: int) -> None:
    transaction.execute(_PRUNE, (upto, upto))
    transaction.execute(_DELETE_CHANGES, (after, upto))


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
