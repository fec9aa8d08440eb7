"""Makes rare events frequent, with small constants, delayed statements and frozen processes."""

from __future__ import annotations

import logging
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType, ModuleType

from chalicelib import vector_wiring
from chalicelib.gallery import (
    code_block,
    exact_search,
    index_changes,
    index_reconciliation,
    log_tail,
    memory_gallery,
    snapshot,
    vector_gallery,
)
from chalicelib.gallery.index_changes import Turn
from chalicelib.stores.aws import vector_store
from chalicelib.stores.database.base import Database
from chalicelib.stores.face_set import face_set, segments, vector_indexes
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.stores.face_set.segments import Objects, Run, Segment, SegmentStore
from tests.harness.stress.plan import Fault, Plan
from tests.harness.stress.report import NAPS, Report

_LEASE_SECONDS = 1
# The longest nap after the last check of the clock, plus the repetitions and a delay between them, because a process
# that has lost the lease must have stopped writing. RENEWED_AFTER and PATIENCE have the same ratio to it as in the
# service.
_INDEX_LEASE_SECONDS = 8
_INDEX_RENEWED_AFTER_SECONDS = 1.5
_INDEX_PATIENCE_SECONDS = 2.5
_CHANGES_KEPT_WITH_AN_INDEX = 3
_CONSTANTS: tuple[tuple[ModuleType, str, float], ...] = (
    (snapshot, "SEGMENT_IDS", 64),
    (snapshot, "CHANGES_PER_STEP", 50),
    (snapshot, "CHANGES_KEPT", 40),
    (segments, "SEGMENTS_PER_READ", 8),
    (segments, "RANGES_AT_ONCE", 3),
    (segments, "LEASE_SECONDS", _LEASE_SECONDS),
    (face_set, "MAX_CHANGES_PER_PRUNING", 25),
    (face_set, "MAX_CHANGES_PER_POLL", 16),
    (memory_gallery, "MAX_CHANGES_PER_POLL", 16),
    (face_set, "MAX_IDS_PER_STATEMENT", 50),
    (exact_search, "MAX_IDS_PER_STATEMENT", 50),
    (code_block, "BLOCK_FACES", 64),
    (code_block, "FIRST_CAPACITY", 8),
    (log_tail, "MAX_CHANGES_PER_POLL", 16),
    (vector_gallery, "TIES", 1),
    (vector_indexes, "LEASE_SECONDS", _INDEX_LEASE_SECONDS),
    (index_changes, "RENEWED_AFTER_SECONDS", _INDEX_RENEWED_AFTER_SECONDS),
    (index_changes, "CHANGES_PER_STEP", 20),
    (index_changes, "MAX_VECTORS_WRITTEN", 15),
    (index_reconciliation, "MAX_VECTORS_READ", 10),
    (index_reconciliation, "MAX_LISTINGS", 2),
    (index_reconciliation, "PROBES", 5),
    (vector_store, "MAX_VECTORS_LISTED", 30),
)
# Requests to S3 take longer than statements, and most compactions must be able to finish.
_CONSTANTS_WITH_S3: tuple[tuple[ModuleType, str, float], ...] = (
    (segments, "LEASE_SECONDS", 3),
    (snapshot, "SEGMENT_IDS", 512),
    (snapshot, "CHANGES_PER_STEP", 1_000),
)
_LATE = 0.05
_LONGEST_DELAY_SECONDS = 0.008
_SLOW_LOADS = 0.3
_LONGEST_LOAD_DELAY_SECONDS = 0.05
_SLOW_REPLACEMENTS = 0.01
_SLOW_STATEMENTS = 0.02


def prepare(plan: Plan) -> None:
    """Set up a new process of the run."""
    logging.getLogger("chalicelib").setLevel(logging.CRITICAL if plan.vectors else logging.WARNING)
    shrink_constants()
    if plan.vectors:
        # The log must be pruned while the index still needs it.
        setattr(snapshot, "CHANGES_KEPT", _CHANGES_KEPT_WITH_AN_INDEX)  # noqa: B010 - as below
    if plan.segments:
        _set(_CONSTANTS_WITH_S3)
    if plan.fault is Fault.STATES_TOO_EARLY:
        _write_late()
    if plan.fault is Fault.KEEPS_REMOVED:
        _keep_some()


def shrink_constants() -> None:
    """For the whole process, set limits so small that dozens of changes exceed them.

    Dozens of changes then prune the log, and take several steps, polls, statements and blocks.
    """
    _set(_CONSTANTS)
    FaceSet.changes_since.__defaults__ = (face_set.MAX_CHANGES_PER_POLL,)
    vector_wiring.VectorWiring.store.__defaults__ = (_INDEX_PATIENCE_SECONDS,)


def _set(constants: tuple[tuple[ModuleType, str, float], ...]) -> None:
    for module, name, value in constants:
        assert hasattr(module, name)
        setattr(module, name, value)


def delay_statements(chance: random.Random) -> None:
    """For the whole process, delay some statements and answers, so that others run in between."""
    statement = Database.statement

    @contextmanager
    def late(database: Database, sql: str) -> Iterator[str]:
        wait()
        with statement(database, sql) as dialect_sql:
            yield dialect_sql
        wait()

    def wait() -> None:
        if chance.random() < _LATE:
            time.sleep(chance.uniform(0, _LONGEST_DELAY_SECONDS))

    setattr(Database, "statement", late)  # noqa: B010 - the type checker forbids the assignment


def take_naps(chance: random.Random, report: Report, *, every: float, longest: float) -> None:
    """Freeze the process at random points, like a container between requests; times are in seconds.

    Parameters
    ----------
    every
        The mean time between naps.
    longest
        The longest nap.
    """

    def nap(_signal: int, _frame: FrameType | None) -> None:
        report.count(NAPS)
        time.sleep(chance.uniform(0, longest))
        set_alarm()

    def set_alarm() -> None:
        signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.1, 2) * every)

    signal.signal(signal.SIGALRM, nap)
    set_alarm()


def _write_late() -> None:
    """Make a turn state its next step's version before it sends the step's requests."""
    step, state = Turn.step, Turn.state

    def late(turn: Turn) -> bool | None:
        changes = turn._face_set.changes_since(turn.row.version, turn.row.embedding_id, index_changes.CHANGES_PER_STEP)
        later = turn.row._replace(version=changes[-1].version) if changes else turn.row
        before = turn.row
        if not state(turn, version=later.version):
            return None
        turn.row = turn.row._replace(version=before.version)
        return step(turn)

    setattr(Turn, "step", late)  # noqa: B010 - as above


def _keep_some() -> None:
    erase = Turn.erase

    def erase_some(turn: Turn, face_ids: list[int]) -> bool:
        return erase(turn, [face_id for face_id in face_ids if face_id % 5])

    setattr(Turn, "erase", erase_some)  # noqa: B010 - as above


class SlowLoads(SegmentStore):
    """Delay some loads around their read of the version. Report every load except each gallery's first."""

    def __init__(
        self,
        database: Database,
        objects: Objects | None,
        chance: random.Random,
        first: Callable[[], None],
        again: Callable[[], None],
    ) -> None:
        super().__init__(database, objects)
        self._chance = chance
        self._next = first
        self._again = again

    def version(self) -> int:
        self._next()
        self._next = self._again
        self._dawdle()
        version = super().version()
        self._dawdle()
        return version

    def _dawdle(self) -> None:
        if self._chance.random() < _SLOW_LOADS:
            time.sleep(self._chance.uniform(0, _LONGEST_LOAD_DELAY_SECONDS))


class SlowWrites(SegmentStore):
    """Delay some compactions before a write for longer than their lease, so that another one overtakes them."""

    def __init__(self, database: Database, objects: Objects | None, chance: random.Random) -> None:
        super().__init__(database, objects, in_objects=objects is not None)
        self._chance = chance
        self.claimed = False

    def claim(self) -> Run | None:
        run = super().claim()
        self.claimed = run is not None
        return run

    def replace(self, run: Run, number: int, segments: Sequence[Segment]) -> bool:
        self._hesitate(_SLOW_REPLACEMENTS)
        return super().replace(run, number, segments)

    def state(self, run: Run, version: int) -> bool:
        self._hesitate(_SLOW_STATEMENTS)
        return super().state(run, version)

    def _hesitate(self, how_often: float) -> None:
        if self._chance.random() < how_often:
            time.sleep(self._chance.uniform(1, 1.4) * segments.LEASE_SECONDS)
