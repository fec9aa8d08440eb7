"""Stores the packed codes of the face set, and which run may write them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from chalicelib.stores.database.base import Database, Transaction
from chalicelib.stores.face_set import lease

# Ids per segment: 1.1 MB at 128 dimensions, 4.3 MB at 512, which stays below 16 MiB when a driver escapes it.
SEGMENT_IDS = 8_192
# Segments read per statement.
SEGMENTS_PER_READ = 4
# A run that is silent for longer loses its claim to another.
LEASE_SECONDS = 120

_STATE = "SELECT version, run FROM face_set_compaction WHERE id = 1"
_CLAIM = """UPDATE face_set_compaction SET run = run + 1, leased_until = ?
    WHERE id = 1 AND (leased_until <= ? OR leased_until > ?)"""
_RENEW = "UPDATE face_set_compaction SET leased_until = ? WHERE id = 1 AND run = ?"
_ADVANCE = "UPDATE face_set_compaction SET version = ?, leased_until = ? WHERE id = 1 AND run = ?"
_DELETE = "DELETE FROM face_set_segment WHERE number = ?"
_INSERT = """INSERT INTO face_set_segment (number, embedding_id, exponent, residual, ids, codes, sets)
    VALUES (?, ?, ?, ?, ?, ?, ?)"""
_READ = """SELECT embedding_id, exponent, residual, ids, codes, sets FROM face_set_segment
    WHERE number >= ? AND number < ? AND embedding_id = ? ORDER BY number, exponent"""
_LAST = "SELECT COALESCE(MAX(number), -1) FROM face_set_segment"


class Segment(NamedTuple):
    """The faces in one range of ids that share a scale: ids as little-endian int64, codes as int8.

    `sets` holds the number of each face's set as little-endian int32; empty when all are in the default set.
    """

    embedding_id: str
    exponent: int
    residual: float
    ids: bytes
    codes: bytes
    sets: bytes = b""


class Run(NamedTuple):
    """The right to write segments: the run's number, and the version that the segments reflect so far."""

    number: int
    version: int


class SegmentStore:
    """Segments in the face set's database. Every method raises ServiceError as `Database.read` and `write` do.

    Each claim raises the run number, and writes of an older run are refused. The lease only avoids needless takeovers,
    so differing clocks do no harm.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def version(self) -> int:
        """Return the version of the face set after which the segments may lack changes."""
        return int(self._database.read(_STATE)[0][0])

    def read(self, embedding_id: str) -> Iterator[Segment]:
        """Yield all segments of one embedding id. Read `version` first: segments may be newer than it, never older."""
        last = int(self._database.read(_LAST)[0][0])
        for first in range(0, last + 1, SEGMENTS_PER_READ):
            for row in self._database.read(_READ, (first, first + SEGMENTS_PER_READ, embedding_id)):
                yield Segment(*row)

    def claim(self) -> Run | None:
        """Claim the right to write segments; return None while another run holds it."""

        def work(transaction: Transaction) -> Run | None:
            if not transaction.execute(_CLAIM, (self._lease(), *lease.bounds(self._clock(), LEASE_SECONDS))):
                return None
            [(version, run)] = transaction.query(_STATE)
            return Run(run, version)

        return self._database.write(work)

    def replace(self, run: Run, number: int, segments: Sequence[Segment]) -> bool:
        """Replace the segments of a range; return False when another run has taken over."""

        def work(transaction: Transaction) -> bool:
            if not transaction.execute(_RENEW, (self._lease(), run.number)):
                return False
            transaction.execute(_DELETE, (number,))
            for segment in segments:
                transaction.execute(_INSERT, (number, *segment))
            return True

        return self._database.write(work)

    def state(self, run: Run, version: int) -> bool:
        """Record that the segments reflect a version; return False when another run has taken over."""
        return self._database.write(lambda t: t.execute(_ADVANCE, (version, self._lease(), run.number))) > 0

    def release(self, run: Run) -> None:
        self._database.write(lambda t: t.execute(_RENEW, (0, run.number)))

    def _lease(self) -> int:
        return int(self._clock()) + LEASE_SECONDS
