"""Stores the packed codes of the face set, and which run may write them."""

from __future__ import annotations

import hashlib
import logging
import re
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import NamedTuple, Protocol
from uuid import uuid4

from chalicelib import deadline
from chalicelib.errors import StoreFailedError
from chalicelib.stores.database.base import Database, Transaction
from chalicelib.stores.face_set import lease
from chalicelib.stores.face_set.segment_bytes import joined, parted

# Ids per segment: 1.1 MB at 128 dimensions, 4.3 MB at 512, which stays below 16 MiB when a driver escapes it.
SEGMENT_IDS = 8_192
# Ranges read per statement.
SEGMENTS_PER_READ = 4
# Ranges read from S3 at once, which bounds their memory: 18 MB at 128 dimensions.
RANGES_AT_ONCE = 16
# A run that is silent for longer loses its claim to another.
LEASE_SECONDS = 120
# The age at which an object of an unknown later run is deleted: a restored database does not know its latest runs.
UNKNOWN_RUN_SECONDS = 3_600

_STATE = "SELECT version, run, has_objects FROM face_set_compaction WHERE id = 1"
_CLAIM = """UPDATE face_set_compaction SET run = run + 1, leased_until = ?, has_objects = has_objects | ?
    WHERE id = 1 AND (leased_until <= ? OR leased_until > ?)"""
_RENEW = "UPDATE face_set_compaction SET leased_until = ? WHERE id = 1 AND run = ?"
_ADVANCE = "UPDATE face_set_compaction SET version = ?, leased_until = ? WHERE id = 1 AND run = ?"
_HAS_NO_OBJECTS = "UPDATE face_set_compaction SET has_objects = 0 WHERE id = 1 AND run = ?"
_DELETE = "DELETE FROM face_set_segment WHERE number = ?"
_INSERT = """INSERT INTO face_set_segment
    (number, embedding_id, exponent, residual, ids, codes, sets, object, sha256, size)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_READ = """SELECT number, embedding_id, exponent, residual, ids, codes, sets, object, sha256, size FROM face_set_segment
    WHERE number >= ? AND number < ? AND embedding_id = ? ORDER BY number, exponent"""
_LAST = "SELECT COALESCE(MAX(number), -1) FROM face_set_segment"
_OBJECTS = "SELECT number, object, size FROM face_set_segment"

_NAME = re.compile(r"[0-9a-f]{32}-([0-9]+)")

_log = logging.getLogger(__name__)


class Segment(NamedTuple):
    """The faces in one range of ids that share a scale: ids as little-endian int64, codes as int8.

    `sets` holds the number of each face's set as little-endian int32; empty when all are in the default set.
    """

    embedding_id: str
    exponent: int
    residual: float
    ids: bytes | memoryview
    codes: bytes | memoryview
    sets: bytes | memoryview = b""


class Run(NamedTuple):
    """The right to write segments: the run's number, and the version that the segments reflect so far.

    `has_objects` is 0 when there is certainly no object.
    """

    number: int
    version: int
    has_objects: int


class Objects(Protocol):
    """A store of immutable bytes outside the database; its methods raise ServiceError."""

    def put(self, name: str, data: bytes) -> None: ...
    def read(self, name: str, size: int) -> memoryview | None:
        """Return an object's bytes; None when it is missing or has another size."""

    def listed(self) -> Iterator[tuple[str, int, float]]:
        """Yield every object's name, size and time of storing, in seconds since 1970."""

    def delete(self, names: Sequence[str]) -> None: ...


class _Row(NamedTuple):
    """A row of a segment. With an object's name, the three parts of the segment are empty here and in the object."""

    number: int
    embedding_id: str
    exponent: int
    residual: float
    ids: bytes | memoryview
    codes: bytes | memoryview
    sets: bytes | memoryview
    object: str
    sha256: str
    size: int


class _LostError(Exception):
    """An object is missing or damaged."""


def _refuse(number: int) -> Iterable[Segment]:
    _log.error("segment %d cannot be read", number)
    raise StoreFailedError()


class SegmentStore:
    """Segments of the face set: rows in the database, their bytes there too or in objects.

    Every method raises ServiceError as `Database.read` and `write` do, and as the objects do. Each claim raises the run
    number, and writes of an older run are refused. The lease only avoids needless takeovers, so differing clocks do no
    harm.

    The rows decide which objects exist. An object is written under a new name before a row names it, and deleted when
    none does. Its name ends in its run, so an object that no row names is known to be useless once its run is over.

    Parameters
    ----------
    objects
        Needed to read rows that name objects, and to write them.
    in_objects
        Whether new segments go to objects.
    """

    def __init__(
        self,
        database: Database,
        objects: Objects | None = None,
        *,
        in_objects: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._objects = objects
        self._in_objects = in_objects
        self._clock = clock

    def version(self) -> int:
        """Return the version of the face set after which the segments may lack changes."""
        return int(self._database.read(_STATE)[0][0])

    def read(
        self, embedding_id: str, repack: Callable[[int], Iterable[Segment]] = _refuse, first: int = 0
    ) -> Generator[Segment]:
        """Yield the segments of one embedding id, in the order of their ranges.

        Read `version` first: segments may be newer than it, never older. Objects are read in parallel, with the
        request's deadline.

        Parameters
        ----------
        repack
            Returns the present segments of a range that has a missing or damaged object.
        first
            The number of the first range.
        """
        fetch = deadline.carried(partial(self._fetched, repack))
        fetching: deque[Future[list[Segment]]] = deque()
        executor = ThreadPoolExecutor(RANGES_AT_ONCE)
        try:
            for rows in self._ranges(embedding_id, first):
                if not fetching and not any(row.object for row in rows):
                    yield from map(_inside, rows)
                    continue
                fetching.append(executor.submit(fetch, rows))
                if len(fetching) == RANGES_AT_ONCE:
                    yield from fetching.popleft().result()
            while fetching:
                yield from fetching.popleft().result()
        finally:
            executor.shutdown(cancel_futures=True)

    def claim(self) -> Run | None:
        """Claim the right to write segments; return None while another run holds it."""

        def work(transaction: Transaction) -> Run | None:
            times = lease.bounds(self._clock(), LEASE_SECONDS)
            if not transaction.execute(_CLAIM, (self._lease(), int(self._in_objects), *times)):
                return None
            [(version, run, has_objects)] = transaction.query(_STATE)
            return Run(run, version, has_objects)

        return self._database.write(work)

    def replace(self, run: Run, number: int, segments: Sequence[Segment]) -> bool:
        """Replace the segments of a range; return False when another run has taken over.

        Objects that the range had before stay until the next `sweep`.
        """
        rows = [self._stored(run, number, segment) for segment in segments]

        def work(transaction: Transaction) -> bool:
            if not transaction.execute(_RENEW, (self._lease(), run.number)):
                return False
            transaction.execute(_DELETE, (number,))
            for row in rows:
                transaction.execute(_INSERT, row)
            return True

        return self._database.write(work)

    def sweep(self, run: Run) -> set[int]:
        """Delete the objects that no row names; return the ranges to pack again.

        Those are ranges with a missing object, and ranges with bytes on the other side of `in_objects`. The run must
        not have written an object that it is still to name.
        """
        if self._objects is None or not run.has_objects:
            return set()
        stored = list(self._objects.listed())
        rows = self._database.read(_OBJECTS)
        named = {name for _, name, _ in rows}
        self._objects.delete([name for name, _, at in stored if name not in named and self._is_useless(run, name, at)])
        if not (self._in_objects or stored or named - {""}):
            self._database.write(lambda transaction: transaction.execute(_HAS_NO_OBJECTS, (run.number,)))
        sizes = {name: size for name, size, _ in stored}
        return {
            number
            for number, name, size in rows
            if bool(name) != self._in_objects or (name and sizes.get(name) != size)
        }

    def state(self, run: Run, version: int) -> bool:
        """Record that the segments reflect a version; return False when another run has taken over."""
        return self._database.write(lambda t: t.execute(_ADVANCE, (version, self._lease(), run.number))) > 0

    def release(self, run: Run) -> None:
        self._database.write(lambda t: t.execute(_RENEW, (0, run.number)))

    def _ranges(self, embedding_id: str, first: int) -> Iterator[list[_Row]]:
        """Yield the rows of each range that has any. The rows of a range come from one statement, so they agree."""
        last = int(self._database.read(_LAST)[0][0])
        for start in range(first, last + 1, SEGMENTS_PER_READ):
            rows = self._rows(start, start + SEGMENTS_PER_READ, embedding_id)
            for number in sorted({row.number for row in rows}):
                yield [row for row in rows if row.number == number]

    def _rows(self, first: int, end: int, embedding_id: str) -> list[_Row]:
        return [_Row(*row) for row in self._database.read(_READ, (first, end, embedding_id))]

    def _fetched(self, repack: Callable[[int], Iterable[Segment]], rows: list[_Row]) -> list[Segment]:
        """Return the segments of a range; read its rows again if a compaction replaces it meanwhile."""
        number, embedding_id = rows[0].number, rows[0].embedding_id
        replaced = True
        while replaced:
            try:
                return [self._segment(row) for row in rows]
            except _LostError:
                before, rows = rows, self._rows(number, number + 1, embedding_id)
                replaced = rows != before
        _log.error("an object of segment %d is missing or damaged: the faces' rows are read instead", number)
        return list(repack(number))

    def _segment(self, row: _Row) -> Segment:
        if not row.object:
            return _inside(row)
        data = self._objects.read(row.object, row.size) if self._objects else None
        if data is None or hashlib.sha256(data).hexdigest() != row.sha256:
            raise _LostError
        return Segment(row.embedding_id, row.exponent, row.residual, *parted(data))

    def _stored(self, run: Run, number: int, segment: Segment) -> _Row:
        """Return a segment's row, after writing its object if it gets one."""
        if self._objects is None or not self._in_objects:
            return _Row(number, *segment, "", "", 0)
        data = joined(segment[3:])
        name = f"{uuid4().hex}-{run.number}"
        self._objects.put(name, data)
        return _Row(number, *segment[:3], b"", b"", b"", name, hashlib.sha256(data).hexdigest(), len(data))

    def _is_useless(self, run: Run, name: str, stored_at: float) -> bool:
        """Return whether an object that no row names will never be named."""
        match = _NAME.fullmatch(name)
        if match is None:
            return False
        return int(match[1]) <= run.number or stored_at < self._clock() - UNKNOWN_RUN_SECONDS

    def _lease(self) -> int:
        return int(self._clock()) + LEASE_SECONDS


def _inside(row: _Row) -> Segment:
    return Segment(*row[1:7])
