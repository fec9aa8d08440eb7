"""The face set: the truth about which faces are known, and a log of its changes for those who keep a copy.

Ids become visible out of order when several transactions insert at once, so copies follow the log and not the ids.
A face has a vector under every model that it was embedded by; the face set is searched by those of one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chalicelib.faces import Embedding, KnownFace
from chalicelib.stores.active_model import READ_STATE, State, check_model, only_row
from chalicelib.stores.change_log import Operation, log_additions, log_change
from chalicelib.stores.database import Database, Row, Transaction
from chalicelib.stores.embedding_bytes import from_bytes, to_bytes

MAX_IDS_PER_STATEMENT = 500
# Below what a statement may have in parameters, and short enough that nobody waits long for the counter.
MAX_FACES_PER_ADDITION = 1_000
MAX_CHANGES_PER_POLL = 10_000
MAX_CHANGES_PER_PRUNING = 10_000

_INSERT = "INSERT INTO face_set (face_token, face_name, crop, created_at) VALUES (?, ?, ?, ?)"
_INSERT_VECTOR = "INSERT INTO face_set_embedding (face_id, embedding_id, embedding) VALUES (?, ?, ?)"
_RENAME = "UPDATE face_set SET face_name = ? WHERE face_token = ?"
_FIND = "SELECT id, crop FROM face_set WHERE face_token = ? FOR UPDATE"
_FIND_MANY = "SELECT face_token, id FROM face_set WHERE face_token IN ({marks}) FOR UPDATE"
_DELETE = "DELETE FROM face_set WHERE id = ?"
_DELETE_VECTORS = "DELETE FROM face_set_embedding WHERE face_id = ?"

_KNOWS = "SELECT 1 FROM face_set WHERE face_token = ?"
# The model's row comes even without the face.
_GET = """SELECT model.embedding_id, face.face_token, face.face_name, vector.embedding, face.crop
    FROM face_set_model AS model
    LEFT JOIN face_set AS face ON face.face_token = ?
    LEFT JOIN face_set_embedding AS vector ON vector.face_id = face.id AND vector.embedding_id = model.embedding_id
    WHERE model.id = 1"""
_COUNT = "SELECT COUNT(*) FROM face_set"
_FETCH = """SELECT face.id, face.face_token, face.face_name, vector.embedding
    FROM face_set AS face
    JOIN face_set_embedding AS vector ON vector.face_id = face.id AND vector.embedding_id = ?
    WHERE face.id IN ({marks})"""
# The counter's row comes even without a change, so that a log whose end was pruned is told from one without news.
_CHANGES = """SELECT latest.version, log.version, log.op, log.face_id, vector.embedding
    FROM face_set_version AS latest
    LEFT JOIN face_set_change AS log ON log.version > ? AND log.version <= ?
    LEFT JOIN face_set_embedding AS vector ON vector.face_id = log.face_id AND vector.embedding_id = ?
    WHERE latest.id = 1"""

_VECTORS = "SELECT face_id, embedding_id, embedding FROM face_set_embedding WHERE face_id >= ? AND face_id < ?"
# The first id of every range that was touched.
_TOUCHED = "SELECT DISTINCT face_id - face_id % ? FROM face_set_change WHERE version > ? AND version <= ?"
_PRUNED_VERSION = "SELECT pruned_version FROM face_set_version WHERE id = 1"
_PRUNE = "UPDATE face_set_version SET pruned_version = ? WHERE id = 1 AND pruned_version < ?"
_DELETE_CHANGES = "DELETE FROM face_set_change WHERE version > ? AND version <= ?"


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
    """One entry of the log. The embedding is None when the face has none under the reader's model, or is gone."""

    version: int
    operation: Operation
    face_id: int
    embedding: Embedding | None


class FaceSet:
    """The faces that were added and not removed.

    Tokens must be such as `faces.is_token` accepts. Every method raises ServiceError as `Database.read` and
    `Database.write` do; those that take an embedding, or its id, raise ModelChangedError when the face set is under
    another one, unless they say otherwise.

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
        row = (face.token, face.name, face.crop, int(self._clock()))

        def work(transaction: Transaction) -> bool:
            face_id = transaction.insert(_INSERT, row)
            if face_id is None:
                transaction.execute(_RENAME, (face.name, face.token))
                return False
            transaction.execute(_INSERT_VECTOR, (face_id, face.embedding_id, to_bytes(face.embedding)))
            log_additions(transaction, [face_id], face.embedding_id)
            return True

        return self._database.write(work)

    def add_many(self, faces: Sequence[KnownFace], added_at: Sequence[int] | None = None) -> int:
        """Add faces of one model whose tokens are all different, in one transaction; rename those already there.

        The counter, which all writers wait for, is raised once: thousands of faces a second go in this way, some
        hundreds one by one. At most MAX_FACES_PER_ADDITION at a time.

        Parameters
        ----------
        added_at
            When each was added, in seconds since 1970; now, unless it is given.

        Returns
        -------
        int
            How many were added.
        """
        assert len(faces) <= MAX_FACES_PER_ADDITION
        if not faces:
            return 0
        embedding_id = faces[0].embedding_id
        assert all(face.embedding_id == embedding_id for face in faces)
        times = [int(self._clock())] * len(faces) if added_at is None else added_at
        at = {face.token: time for face, time in zip(faces, times, strict=True)}

        def work(transaction: Transaction) -> int:
            there = _ids(transaction, faces)
            for face in faces:
                if face.token in there:
                    transaction.execute(_RENAME, (face.name, face.token))
            new = [face for face in faces if face.token not in there]
            if not new:
                return 0
            transaction.execute_many(_INSERT, [(face.token, face.name, face.crop, at[face.token]) for face in new])
            ids = _ids(transaction, new)
            transaction.execute_many(
                _INSERT_VECTOR, [(ids[face.token], embedding_id, to_bytes(face.embedding)) for face in new]
            )
            log_additions(transaction, list(ids.values()), embedding_id)
            return len(new)

        return self._database.write(work)

    def rename(self, token: str, name: str) -> bool:
        """Return False when the token is not there. Copies hold no names, so the log does not mention it."""
        return self._database.write(lambda transaction: transaction.execute(_RENAME, (name, token))) > 0

    def remove(self, token: str) -> str | None:
        """Remove a face and its vectors under every model; return its crop's name, or None when it is not there."""

        def work(transaction: Transaction) -> str | None:
            rows = transaction.query(_FIND, (token,))
            if not rows:
                return None
            face_id, crop = rows[0]
            transaction.execute(_DELETE, (face_id,))
            transaction.execute(_DELETE_VECTORS, (face_id,))
            log_change(transaction, Operation.REMOVE, face_id)
            return str(crop)

        return self._database.write(work)

    def knows(self, token: str) -> bool:
        return bool(self._database.read(_KNOWS, (token,)))

    def get(self, token: str, embedding_id: str) -> KnownFace | None:
        """Return a face; None when it is not there, or could not be embedded under this model."""
        rows = self._database.read(_GET, (token,))
        active, token, name, embedding, crop = only_row(rows)
        check_model(active, embedding_id)
        return None if embedding is None else KnownFace(token, name, from_bytes(embedding), embedding_id, crop)

    def count(self) -> int:
        return int(self._database.read(_COUNT)[0][0])

    def state(self) -> State:
        """Return what the face set is at, by one statement that reads one row."""
        return State(*only_row(self._database.read(READ_STATE)))

    def version(self) -> int:
        """Return the number of changes that were ever logged."""
        return self.state().version

    def fetch(self, ids: Sequence[int] | NDArray[np.int64], embedding_id: str) -> list[FaceRow]:
        """Return the rows of those ids that have a vector under this model, active or not, in no particular order."""
        found: list[FaceRow] = []
        for start in range(0, len(ids), MAX_IDS_PER_STATEMENT):
            chunk = [int(face_id) for face_id in ids[start : start + MAX_IDS_PER_STATEMENT]]
            rows = self._database.read(_FETCH.format(marks=", ".join("?" * len(chunk))), (embedding_id, *chunk))
            found += [FaceRow(face_id, token, name, from_bytes(data)) for face_id, token, name, data in rows]
        return found

    def vectors(self, first_id: int, end_id: int) -> list[VectorRow]:
        """Return the vectors, under all models, of the faces with ids from `first_id` to below `end_id`."""
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

    def changes_since(self, version: int, embedding_id: str, limit: int = MAX_CHANGES_PER_POLL) -> list[Change] | None:
        """Return the changes after `version`, oldest first and without gaps, by one statement.

        The embeddings are those under one model, whichever model the face set is under.

        Returns
        -------
        list of Change, or None
            At most `limit` of them; when there are as many, more may follow. None when the log does not lead from
            `version` to the present: it was pruned, or the database replaced. The face set must then be read anew.
        """
        rows = self._database.read(_CHANGES, (version, version + limit, embedding_id))
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


def _ids(transaction: Transaction, faces: Sequence[KnownFace]) -> dict[str, int]:
    """Return the ids of those faces that are there, by their tokens."""
    statement = _FIND_MANY.format(marks=", ".join("?" * len(faces)))
    return {row[0]: row[1] for row in transaction.query(statement, [face.token for face in faces])}


def _change(row: Row) -> Change:
    _, version, operation, face_id, embedding = row
    return Change(version, Operation(operation), face_id, None if embedding is None else from_bytes(embedding))
