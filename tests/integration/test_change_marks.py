"""Scheduled functions leave a database that pauses alone until the face set changes, and miss no change."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from chalicelib.errors import ServiceError
from chalicelib.faces import new_token
from chalicelib.maintenance import operations
from chalicelib.maintenance.after_changes import UNCHANGED, after_changes
from chalicelib.settings import Settings
from chalicelib.stores.aws import change_marks, sdk
from chalicelib.stores.aws.change_marks import ChangeMarks
from chalicelib.stores.database.connect import connect
from chalicelib.stores.face_set.schema import migrate
from chalicelib.wiring import Wiring
from tests.examples import known_face
from tests.pausing_front import PausingFront
from tests.services import mysql_database

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# The beginning of a slot of both lengths.
MIDNIGHT = 86_400 * 20_000


class Clock:
    def __init__(self) -> None:
        self.now = float(MIDNIGHT)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def marks(s3: S3Client, crops_bucket: str, clock: Clock) -> Iterator[ChangeMarks]:
    marks = ChangeMarks(lambda: s3, crops_bucket, "tests", 300, 120, clock)
    yield marks
    marks.delete(marks.found())


def slot(seconds: float) -> int:
    return int(MIDNIGHT + seconds) // 300


class TestMarks:
    def test_writers_of_a_slot_share_a_mark(
        self, marks: ChangeMarks, s3: S3Client, crops_bucket: str, clock: Clock
    ) -> None:
        other = ChangeMarks(lambda: s3, crops_bucket, "tests", 300, 120, clock)
        for seconds in (0, 299, 300):
            clock.now = MIDNIGHT + seconds
            marks.put()
            other.put()

        assert marks.found() == [slot(0), slot(300)]

    def test_a_process_sends_one_request_in_a_slot(self, marks: ChangeMarks, clock: Clock) -> None:
        marks.put()
        marks.delete(marks.found())

        marks.put()
        assert marks.found() == []
        clock.now += 300
        marks.put()
        assert marks.found() == [slot(300)]

    def test_a_slot_is_at_rest_some_time_after_its_end(self, marks: ChangeMarks, clock: Clock) -> None:
        rests = {}
        for seconds in (0, 299, 300, 419, 420, 719, 720):
            clock.now = MIDNIGHT + seconds
            rests[seconds] = marks.at_rest([slot(0), slot(300)])

        assert rests == {
            0: [],
            299: [],
            300: [],
            419: [],
            420: [slot(0)],
            719: [slot(0)],
            720: [slot(0), slot(300)],
        }

    def test_the_slots_are_as_long_as_the_schedules(self) -> None:
        import app

        assert change_marks.COMPACTION_SLOT_SECONDS == 60 * app.COMPACTION_MINUTES
        assert change_marks.RECONCILIATION_SLOT_SECONDS == 86_400

    def test_a_mark_that_cannot_be_put_is_503(self) -> None:
        client = sdk.client("s3")
        lost = ChangeMarks(lambda: client, "no-such-bucket", "tests", 300, 120)

        with pytest.raises(ServiceError):
            lost.put()


class TestAfterChanges:
    def test_without_marks_work_always_runs(self) -> None:
        assert after_changes(None, lambda: ("done", True)) == "done"

    def test_a_change_announced_during_the_work_has_another_run(self, marks: ChangeMarks, clock: Clock) -> None:
        marks.put()
        clock.now += 419  # not at rest when the work begins

        def work() -> tuple[str, bool]:
            clock.now += 1
            return "done", True

        assert after_changes(marks, work) == "done"
        assert marks.found() == [slot(0)]
        assert after_changes(marks, work) == "done"
        assert after_changes(marks, work) == UNCHANGED

    def test_work_that_fails_or_is_incomplete_is_repeated(self, marks: ChangeMarks, clock: Clock) -> None:
        marks.put()
        clock.now += 1_000

        def fails() -> tuple[str, bool]:
            raise ServiceError("1003", 503, "as if")

        with pytest.raises(ServiceError):
            after_changes(marks, fails)
        assert after_changes(marks, lambda: ("more to do", False)) == "more to do"
        assert after_changes(marks, lambda: ("done", True)) == "done"
        assert marks.found() == []


@pytest.fixture
def front(mysql_server: int) -> Iterator[PausingFront]:
    with PausingFront(mysql_server) as front:
        front.start()
        yield front


@pytest.fixture
def container(
    front: PausingFront, mysql_server: int, tokens_table: str, crops_bucket: str, clock: Clock
) -> Iterator[Callable[[], closing[Wiring]]]:
    """Yield a function that makes a new container of the service, which reaches its database through `front`."""
    with mysql_database(mysql_server) as name:
        migrate(connect(f"mysql://root@127.0.0.1:{mysql_server}/{name}"))
        settings = Settings.from_environment(
            {
                **os.environ,
                "DATABASE_URL": f"mysql://root@127.0.0.1:{front.port}/{name}?pauses=yes",
                "GALLERY": "memory",
                "TOKENS_TABLE": tokens_table,
                "CROPS_BUCKET": crops_bucket,
                "SEGMENTS": "database",
            }
        )

        def made() -> closing[Wiring]:
            parts = Wiring(settings)
            for marks in (parts.compaction_marks, parts.reconciliation_marks):
                assert marks is not None
                marks._clock = clock
            return closing(parts)

        with made() as parts:
            yield made
            for marks in (parts.compaction_marks, parts.reconciliation_marks):
                assert marks is not None
                marks.delete(marks.found())


def much_time() -> int:
    return 200_000


def test_compaction_follows_each_change_and_then_leaves_the_database_alone(
    container: Callable[[], closing[Wiring]], front: PausingFront, clock: Clock
) -> None:
    def compact() -> tuple[str, bool]:
        front.called.clear()
        with container() as parts:
            return operations.compact_in_time(parts, much_time), front.called.is_set()

    assert compact() == (UNCHANGED, False)
    face = known_face(new_token())
    changes: list[Callable[[Wiring], object]] = [
        lambda parts: parts.face_set.add(face),
        lambda parts: parts.face_set.remove(face.token),
        lambda parts: parts.face_set.add_many([face]),
    ]
    for version, change in enumerate(changes, start=1):
        clock.now = MIDNIGHT + 3_000 * version + 60  # early in a slot
        with container() as parts:
            change(parts)
        # The next two runs, five minutes apart: the first sees the change, the second any that came late.
        for _ in range(2):
            clock.now += 300
            assert compact() == (f"the segments show version {version}", True)
        for _ in range(2):
            clock.now += 300
            assert compact() == (UNCHANGED, False)


def test_a_compaction_that_finds_another_at_work_is_repeated(
    container: Callable[[], closing[Wiring]], clock: Clock
) -> None:
    with container() as parts:
        parts.face_set.add(known_face(new_token()))
        clock.now += 1_000
        run = parts.segments.claim()
        assert run is not None
        assert operations.compact_in_time(parts, much_time) == "another compaction is at work"
        parts.segments.release(run)
        assert operations.compact_in_time(parts, much_time) == "the segments show version 1"
        assert operations.compact_in_time(parts, much_time) == UNCHANGED


def test_reconciliation_runs_until_a_change_is_older_than_crops_are_judged(
    container: Callable[[], closing[Wiring]], front: PausingFront, clock: Clock
) -> None:
    def reconcile() -> tuple[bool, bool]:
        front.called.clear()
        with container() as parts:
            return operations.reconcile_in_time(parts, much_time) != UNCHANGED, front.called.is_set()

    assert reconcile() == (False, False)
    with container() as parts:
        parts.announce_change()
    runs = []
    for _ in range(4):
        runs.append(reconcile())
        clock.now += 86_400
    # At midnight, when the mark was put, and a day later its slot has just ended.
    assert runs == [(True, True), (True, True), (True, True), (False, False)]


def test_a_migration_lets_the_scheduled_functions_look_again(container: Callable[[], closing[Wiring]]) -> None:
    with container() as parts:
        operations.migrate(parts)

        assert operations.compact_in_time(parts, much_time) == "the segments show version 0"


def test_a_change_that_cannot_be_announced_is_not_made(container: Callable[[], closing[Wiring]]) -> None:
    with container() as parts:
        client = sdk.client("s3")
        parts.compaction_marks = ChangeMarks(lambda: client, "no-such-bucket", "compact", 300, 120)
        with pytest.raises(ServiceError):
            parts.face_set.add(known_face(new_token()))
        assert parts.face_set.count() == 0


def test_a_database_that_does_not_pause_has_no_marks(database_url: str) -> None:
    with closing(Wiring(Settings.from_environment({**os.environ, "DATABASE_URL": database_url}))) as parts:
        assert parts.compaction_marks is parts.reconciliation_marks is None
        parts.announce_change()
