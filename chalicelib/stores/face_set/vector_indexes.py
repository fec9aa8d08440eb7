"""Which vector indexes there are, up to which version of the face set each was brought, and who may write to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple
from uuid import uuid4

from chalicelib.stores.database.base import Database, Transaction
from chalicelib.stores.face_set import lease
from chalicelib.stores.face_set.active_model import State, only_row

# How long who writes to an index may be silent before another takes their place.
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
    """Another one has taken its place; it is to be deleted."""


class Recall(NamedTuple):
    """Which share of the faces that searches should have found they did find, by how many searches, and when that was
    measured, in seconds since 1970."""

    share: float
    probes: int
    measured_at: int


class UsedIndex(NamedTuple):
    """What a search asks. `recall` is None until it is measured."""

    name: str
    version: int
    recall: Recall | None


class Look(NamedTuple):
    """The face set's state, and the index of one embedding id at the same moment; None while there is none."""

    state: State
    used: UsedIndex | None


class VectorIndexRow(NamedTuple):
    """An index as the database knows it.

    All changes up to `version` were applied to it. While it is filled, all faces with ids below `next_id` are in it.
    """

    name: str
    embedding_id: str
    dimension: int
    state: IndexState
    version: int
    next_id: int
    run: int


class VectorIndexes:
    """The rows about vector indexes in the face set's database. Every method raises ServiceError as `Database` does.

    A run's number decides who advances an index: claiming raises it, and under a lower one nothing is changed here. The
    service behind the index knows of no numbers, so who writes to it must stop in time before the lease ends.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def look(self, embedding_id: str) -> Look:
        """Return what a search begins with, by one statement."""
        row = only_row(self._database.read(_LOOK, (embedding_id,)))
        name, version, recall, probes, measured_at = row[4:]
        measured = Recall(recall, probes, measured_at) if probes else None
        return Look(State(*row[:4]), None if name is None else UsedIndex(name, version, measured))

    def all(self) -> list[VectorIndexRow]:
        return [_row(*row) for row in self._database.read(_ALL)]

    def used(self, embedding_id: str) -> UsedIndex | None:
        return self.look(embedding_id).used

    def begin(self, embedding_id: str, dimension: int) -> str:
        """Return the name of the index that is being filled for an embedding id; without one it begins now.

        Its version is the face set's: what changes from then on must be applied after it was filled.
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
        """Become the one who writes to an index; None while another one does, or when the index is gone."""

        def work(transaction: Transaction) -> VectorIndexRow | None:
            now = int(self._clock())
            if not transaction.execute(_CLAIM, (now + LEASE_SECONDS, name, *lease.bounds(now, LEASE_SECONDS))):
                return None
            return _row(*only_row(transaction.query(_ONE, (name,))))

        return self._database.write(work)

    def advance(
        self, turn: VectorIndexRow, *, version: int | None = None, next_id: int | None = None
    ) -> VectorIndexRow | None:
        """State how far an index was brought, and renew the lease; None when another one has claimed it."""
        later = turn._replace(
            version=turn.version if version is None else version, next_id=turn.next_id if next_id is None else next_id
        )
        return later if self._advance(later, int(self._clock()) + LEASE_SECONDS) else None

    def release(self, turn: VectorIndexRow) -> None:
        self._advance(turn, 0)

    def use(self, turn: VectorIndexRow) -> bool:
        """Let searches ask this index from now on, in the place of the one before, and end the turn.

        False when it is behind the one before, or another one has claimed it; then nothing is changed.
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
        """Let go of an index that cannot be brought up to the face set any more."""
        self._database.write(lambda transaction: transaction.execute(_RETIRE, (name,)))

    def retire_others(self, embedding_id: str) -> None:
        """Let go of the indexes of all embedding ids but this one."""
        self._database.write(lambda transaction: transaction.execute(_RETIRE_OTHERS, (embedding_id,)))

    def drop(self, name: str) -> None:
        self._database.write(lambda transaction: transaction.execute(_DROP, (name,)))

    def oldest_version(self) -> int | None:
        """Return the version from which on the log is needed; None when there is no index."""
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
