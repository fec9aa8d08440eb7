"""Records the vector indexes, the version of the face set that each reflects, and which process may write to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple
from uuid import uuid4

from chalicelib.stores.database.base import Database, Transaction
from chalicelib.stores.face_set import lease
from chalicelib.stores.face_set.active_model import State, only_row

# A writer that is silent for longer loses its index to another.
LEASE_SECONDS = 60

_LOOK = """SELECT counter.version, model.embedding_id, model.switches, model.discards,
        vectors.name, vectors.version, vectors.recall, vectors.probes, vectors.measured_at
    FROM face_set_version AS counter JOIN face_set_model AS model ON model.id = counter.id
    LEFT JOIN face_set_index AS vectors ON vectors.embedding_id = ? AND vectors.state = 'used'
    WHERE counter.id = 1"""
_ALL = "SELECT name, embedding_id, dimension, state, version, next_id, run FROM face_set_index ORDER BY name"
_ONE = "SELECT name, embedding_id, dimension, state, version, next_id, run FROM face_set_index WHERE name = ?"
_FILLING = "SELECT name FROM face_set_index WHERE embedding_id = ? AND state = 'filling' FOR UPDATE"
_BEGIN = """INSERT INTO face_set_index
        (name, embedding_id, dimension, state, version, next_id, run, leased_until, recall, probes, measured_at)
    SELECT ?, ?, ?, 'filling', version, 0, 0, 0, 0, 0, 0 FROM face_set_version WHERE id = 1"""
_CLAIM = """UPDATE face_set_index SET run = run + 1, leased_until = ?
    WHERE name = ? AND (leased_until <= ? OR leased_until > ?)"""
_ADVANCE = "UPDATE face_set_index SET version = ?, next_id = ?, leased_until = ? WHERE name = ? AND run = ?"
_NEWER_USED = "SELECT name FROM face_set_index WHERE embedding_id = ? AND state = 'used' AND version > ? FOR UPDATE"
_RETIRE_OLDER = "UPDATE face_set_index SET state = 'retired' WHERE embedding_id = ? AND state = 'used' AND name <> ?"
_USE = "UPDATE face_set_index SET state = 'used', leased_until = 0 WHERE name = ? AND run = ? AND state = 'filling'"
_RETIRE = "UPDATE face_set_index SET state = 'retired' WHERE name = ?"
_RETIRE_OTHERS = "UPDATE face_set_index SET state = 'retired' WHERE embedding_id <> ?"
_DROP = "DELETE FROM face_set_index WHERE name = ?"
_OLDEST = "SELECT MIN(version) FROM face_set_index WHERE state <> 'retired'"
_MEASURED = "UPDATE face_set_index SET recall = ?, probes = ?, measured_at = ? WHERE name = ?"


class IndexState(StrEnum):
    FILLING = "filling"
    USED = "used"
    RETIRED = "retired"
    """No longer used; to be deleted."""


class Recall(NamedTuple):
    """The share of expected faces that searches found, the number of searches, and the time in seconds since 1970."""

    share: float
    probes: int
    measured_at: int


class UsedIndex(NamedTuple):
    """The index that searches query. `recall` is None until it is measured."""

    name: str
    version: int
    recall: Recall | None


class Look(NamedTuple):
    """The face set's state and, at the same moment, the used index of one embedding id, or None without one."""

    state: State
    used: UsedIndex | None


class VectorIndexRow(NamedTuple):
    """The database's row of an index.

    All changes up to `version` were applied to the index. While it is being filled, it holds all faces with ids below
    `next_id`.
    """

    name: str
    embedding_id: str
    dimension: int
    state: IndexState
    version: int
    next_id: int
    run: int


class VectorIndexes:
    """The rows of vector indexes in the face set's database. Every method raises ServiceError as `Database` does.

    Each claim raises an index's run number; `advance` and `use` change nothing for an older run. S3 Vectors does not
    check run numbers, so a writer must stop writing before its lease ends.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def look(self, embedding_id: str) -> Look:
        """Return the face set's state and its used index, with one statement."""
        row = only_row(self._database.read(_LOOK, (embedding_id,)))
        name, version, recall, probes, measured_at = row[4:]
        measured = Recall(recall, probes, measured_at) if probes else None
        return Look(State(*row[:4]), None if name is None else UsedIndex(name, version, measured))

    def all(self) -> list[VectorIndexRow]:
        return [_row(*row) for row in self._database.read(_ALL)]

    def used(self, embedding_id: str) -> UsedIndex | None:
        return self.look(embedding_id).used

    def begin(self, embedding_id: str, dimension: int) -> str:
        """Return the name of the index being filled for an embedding id; record a new index if there is none.

        A new index gets the face set's version: later changes must be applied after it is filled.
        """

        def work(transaction: Transaction) -> str:
            filling = transaction.query(_FILLING, (embedding_id,))
            if filling:
                return str(filling[0][0])
            name = f"faces-{uuid4().hex}"
            transaction.execute(_BEGIN, (name, embedding_id, dimension))
            return name

        return self._database.write(work)

    def claim(self, name: str) -> VectorIndexRow | None:
        """Claim the right to write to an index; return None while another run holds it, or when the index is gone."""

        def work(transaction: Transaction) -> VectorIndexRow | None:
            now = int(self._clock())
            if not transaction.execute(_CLAIM, (now + LEASE_SECONDS, name, *lease.bounds(now, LEASE_SECONDS))):
                return None
            return _row(*only_row(transaction.query(_ONE, (name,))))

        return self._database.write(work)

    def advance(
        self, turn: VectorIndexRow, *, version: int | None = None, next_id: int | None = None
    ) -> VectorIndexRow | None:
        """Record an index's progress and renew the lease; return None when another run has claimed the index."""
        later = turn._replace(
            version=turn.version if version is None else version, next_id=turn.next_id if next_id is None else next_id
        )
        return later if self._advance(later, int(self._clock()) + LEASE_SECONDS) else None

    def release(self, turn: VectorIndexRow) -> None:
        self._advance(turn, 0)

    def use(self, turn: VectorIndexRow) -> bool:
        """Make searches use this index instead of the previous one, and release it.

        Returns False, and changes nothing, when the previous index is newer or another run has claimed this one.
        """

        def work(transaction: Transaction) -> bool:
            if transaction.query(_NEWER_USED, (turn.embedding_id, turn.version)):
                return False
            if not transaction.execute(_USE, (turn.name, turn.run)):
                return False
            transaction.execute(_RETIRE_OLDER, (turn.embedding_id, turn.name))
            return True

        return self._database.write(work)

    def retire(self, name: str) -> None:
        """Retire an index that can no longer catch up with the face set."""
        self._database.write(lambda transaction: transaction.execute(_RETIRE, (name,)))

    def retire_others(self, embedding_id: str) -> None:
        """Retire the indexes of all other embedding ids."""
        self._database.write(lambda transaction: transaction.execute(_RETIRE_OTHERS, (embedding_id,)))

    def drop(self, name: str) -> None:
        self._database.write(lambda transaction: transaction.execute(_DROP, (name,)))

    def oldest_version(self) -> int | None:
        """Return the version after which indexes still need the log, or None when no index needs it."""
        oldest = self._database.read(_OLDEST)[0][0]
        return None if oldest is None else int(oldest)

    def measured(self, name: str, recall: Recall) -> None:
        self._database.write(lambda transaction: transaction.execute(_MEASURED, (*recall, name)))

    def _advance(self, turn: VectorIndexRow, leased_until: int) -> bool:
        parameters = (turn.version, turn.next_id, leased_until, turn.name, turn.run)
        return self._database.write(lambda transaction: transaction.execute(_ADVANCE, parameters)) > 0


def _row(
    name: str, embedding_id: str, dimension: int, state: str, version: int, next_id: int, run: int
) -> VectorIndexRow:
    return VectorIndexRow(name, embedding_id, dimension, IndexState(state), version, next_id, run)
