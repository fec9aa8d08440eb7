"""The packed segments' bytes in S3: read, replaced, erased and found again after every kind of failure."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from chalicelib import deadline
from chalicelib.errors import ServiceError, took_too_long
from chalicelib.gallery import snapshot
from chalicelib.stores.aws import sdk
from chalicelib.stores.aws.segment_objects import SegmentObjects
from chalicelib.stores.database.base import Database
from chalicelib.stores.face_set import segments
from chalicelib.stores.face_set.segments import UNKNOWN_RUN_SECONDS, Segment, SegmentStore
from tests.embeddings import MODEL
from tests.harness.faults.faulty_aws import Fault, FaultyAws, broken, cut_off, half_done, lost, reset, slow, throttled
from tests.integration.gallery_faces import Faces, clustered

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def faces(database: Database, objects: SegmentObjects, monkeypatch: pytest.MonkeyPatch) -> Faces:
    """A face set with segments of 50 ids in S3."""
    monkeypatch.setattr(snapshot, "SEGMENT_IDS", 50)
    return Faces(database, objects)


def names(objects: SegmentObjects) -> list[str]:
    return sorted(name for name, _, _ in objects.listed())


def named(database: Database) -> list[str]:
    """Return the names of the objects that rows name."""
    return sorted(name for (name,) in database.read("SELECT object FROM face_set_segment"))


def in_rows(database: Database) -> int:
    """Return the number of packed bytes in the database."""
    return sum(len(part) for row in database.read("SELECT ids, codes, sets FROM face_set_segment") for part in row)


def everything(objects: SegmentObjects) -> bytes:
    return b"".join(objects.read(name, size) or b"" for name, size, _ in objects.listed())


def code_of(faces: Faces, face_id: int) -> bytes:
    for segment in faces.segments.read(MODEL):
        ids = np.frombuffer(segment.ids, "<i8").tolist()
        if face_id in ids:
            codes = np.frombuffer(segment.codes, np.int8).reshape(len(ids), -1)
            return bytes(codes[ids.index(face_id)])
    raise AssertionError(face_id)


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


class Killed(BaseException):
    pass


class TestCompaction:
    def test_the_bytes_are_in_objects_and_each_is_named_by_one_row(
        self, faces: Faces, database: Database, objects: SegmentObjects
    ) -> None:
        known = faces.add(clustered(220))

        faces.compact()

        assert in_rows(database) == 0
        assert len(named(database)) > 4
        assert names(objects) == named(database)
        faces.expect(known[7], 1.0)

    def test_only_ranges_that_changed_get_new_objects(
        self, faces: Faces, database: Database, objects: SegmentObjects
    ) -> None:
        known = faces.add(clustered(220))
        faces.compact()
        before = set(names(objects))

        faces.face_set.remove(known[120].token)
        faces.compact()

        rows = database.read("SELECT number, object FROM face_set_segment")
        assert {number for number, name in rows if name not in before} == {2}
        assert names(objects) == named(database)

    @pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
    def test_a_kill_at_any_step_leaves_nothing_of_a_removed_face(
        self, faces: Faces, database: Database, objects: SegmentObjects, monkeypatch: pytest.MonkeyPatch, before: bool
    ) -> None:
        """A run is killed before or after its first, second, ... write to the database or request to S3."""
        known = faces.add(clustered(120))
        faces.compact()
        step, finished = 0, False
        while not finished:
            step += 1
            gone = known.pop()
            [(face_id,)] = database.read("SELECT id FROM face_set WHERE face_token = ?", (gone.token,))
            code = code_of(faces, face_id)
            faces.face_set.remove(gone.token)

            finished = not _killed(faces, objects, monkeypatch, step, before=before)

            faces.expect(known[3], 1.0)
            monkeypatch.setattr(faces.segments, "_clock", lambda ahead=step: time.time() + 1_000 * ahead)
            assert faces.compact() == faces.face_set.version()
            assert names(objects) == named(database)
            assert code not in everything(objects)
            faces.expect(known[3], 1.0)
        assert step > 8

    def test_an_object_of_an_overtaken_run_is_deleted_and_never_named(
        self, faces: Faces, database: Database, objects: SegmentObjects
    ) -> None:
        known = faces.add(clustered(60))
        slow_run = faces.segments.claim()
        assert slow_run is not None
        stale = snapshot._pack(faces.face_set, 0)
        later = SegmentStore(database, objects, in_objects=True, clock=lambda: time.time() + 1_000)
        faces.face_set.remove(known[3].token)
        assert snapshot.compact(faces.face_set, later) == 61

        assert not faces.segments.replace(slow_run, 0, stale)
        assert len(names(objects)) > len(named(database))
        assert snapshot.compact(faces.face_set, later) == 61

        assert names(objects) == named(database)

    def test_an_overtaken_run_deletes_no_object_that_the_later_run_is_to_name(
        self, faces: Faces, database: Database, objects: SegmentObjects
    ) -> None:
        faces.add(clustered(60))
        slow_run = faces.segments.claim()
        later = SegmentStore(database, objects, in_objects=True, clock=lambda: time.time() + 1_000)
        run = later.claim()
        assert slow_run is not None
        assert run is not None
        replaced = later._stored(run, 0, snapshot._pack(faces.face_set, 0)[0])

        faces.segments.sweep(slow_run)

        assert names(objects) == [replaced.object]

    def test_other_objects_are_left_alone(self, faces: Faces, s3: S3Client, crops_bucket: str) -> None:
        for key in ("segments/notes.txt", "segments/" + "a" * 32, "faces/a.jpg", "temporary/a.jpg", "exports/a"):
            s3.put_object(Bucket=crops_bucket, Key=key, Body=b"x")

        faces.compact()

        assert s3.list_objects_v2(Bucket=crops_bucket)["KeyCount"] == 5


class TestMoving:
    def test_unchanged_ranges_move_to_s3_and_back(
        self, faces: Faces, database: Database, objects: SegmentObjects
    ) -> None:
        known = faces.add(clustered(220))
        in_database = SegmentStore(database, objects)
        snapshot.compact(faces.face_set, in_database)
        assert named(database) == [""] * len(named(database))

        faces.compact()
        assert in_rows(database) == 0
        assert names(objects) == named(database)
        faces.expect(known[7], 1.0)

        snapshot.compact(faces.face_set, in_database)
        assert set(named(database)) == {""}
        assert names(objects) == []
        faces.expect(known[7], 1.0)

    def test_a_move_that_runs_out_of_time_is_continued(self, faces: Faces, database: Database) -> None:
        known = faces.add(clustered(220))
        snapshot.compact(faces.face_set, SegmentStore(database))
        for moved in (2, 4):
            snapshot.compact(faces.face_set, faces.segments, None, partial(next, iter([True, True]), False))
            ranges = database.read("SELECT COUNT(DISTINCT number) FROM face_set_segment WHERE object <> ''")
            assert ranges == [(moved,)]
            faces.expect(known[7], 1.0)

    def test_segments_in_the_database_need_no_s3(self, database: Database) -> None:
        faces = Faces(database)
        faces.segments = SegmentStore(database, SegmentObjects(lambda: pytest.fail("S3 is used"), "no-bucket"))
        known = faces.add(clustered(60))

        assert faces.compact() == 60

        faces.face_set.remove(known[3].token)
        assert faces.compact() == 61
        faces.expect(known[4], 1.0)

    def test_objects_left_by_a_killed_move_back_are_deleted(
        self, faces: Faces, database: Database, objects: SegmentObjects, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        faces.add(clustered(60))
        faces.compact()
        back = SegmentStore(database, objects)

        def die_if_any(names: list[str]) -> None:
            if names:
                raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(objects, "delete", die_if_any)
            with pytest.raises(Killed):
                snapshot.compact(faces.face_set, back)
        assert set(named(database)) == {""}
        assert names(objects)

        snapshot.compact(faces.face_set, SegmentStore(database, objects, clock=lambda: time.time() + 1_000))

        assert names(objects) == []


class TestReading:
    def test_a_range_that_is_replaced_meanwhile_is_read_again(
        self, faces: Faces, objects: SegmentObjects, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        known = faces.add(clustered(120))
        faces.compact()
        read = objects.read
        compacted: list[bool] = []

        def compact_first(name: str, size: int) -> memoryview | None:
            if not compacted:
                compacted.append(True)
                for face in known[:40]:
                    faces.face_set.remove(face.token)
                faces.compact()
            return read(name, size)

        monkeypatch.setattr(segments, "RANGES_AT_ONCE", 1)
        monkeypatch.setattr(objects, "read", compact_first)

        faces.expect(known[50], 1.0)
        assert compacted
        assert errors(caplog) == []

    @pytest.mark.parametrize("damage", ["gone", "shorter", "longer", "one bit"])
    def test_a_lost_object_is_replaced_by_the_rows_and_written_again(
        self,
        faces: Faces,
        database: Database,
        objects: SegmentObjects,
        caplog: pytest.LogCaptureFixture,
        damage: str,
    ) -> None:
        known = faces.add(clustered(120))
        faces.compact()
        for name, size, _ in list(objects.listed()):
            data = bytearray(objects.read(name, size) or b"")
            match damage:
                case "gone":
                    objects.delete([name])
                    continue
                case "shorter":
                    del data[-1]
                case "longer":
                    data += b"\0"
                case "one bit":
                    data[size // 2] ^= 1
            objects.put(name, bytes(data))

        faces.expect(known[7], 1.0)
        assert any("is missing or damaged" in error for error in errors(caplog))

        if damage == "one bit":  # only a reader sees it
            objects.delete(names(objects))
        faces.compact()
        caplog.clear()
        faces.expect(known[7], 1.0)
        assert errors(caplog) == []
        assert names(objects) == named(database)

    @on_sqlite
    def test_a_restored_database_finds_its_faces_without_its_objects(
        self, faces: Faces, database: Database, database_url: str, objects: SegmentObjects
    ) -> None:
        path = Path(database_url.removeprefix("sqlite:///"))
        known = faces.add(clustered(120))
        faces.compact()
        database.close()
        backup = path.read_bytes()
        for face in known[:60:2]:
            faces.face_set.remove(face.token)
            faces.compact()
        database.close()
        for file in path.parent.glob(f"{path.name}*"):
            file.unlink()
        path.write_bytes(backup)
        faces.gallery = faces.new_gallery()

        faces.expect(known[0], 1.0)
        assert faces.compact() == 120
        faces.expect(known[0], 1.0)
        # The restored database does not know the runs that wrote these objects.
        unknown = set(names(objects)) - set(named(database))
        assert unknown
        after_an_hour = SegmentStore(
            database, objects, in_objects=True, clock=lambda: time.time() + UNKNOWN_RUN_SECONDS + 60
        )
        snapshot.compact(faces.face_set, after_an_hour)
        assert names(objects) == named(database)

    def test_a_store_without_objects_reads_the_rows(self, faces: Faces, database: Database) -> None:
        known = faces.add(clustered(60))
        faces.compact()
        faces.segments = SegmentStore(database)

        faces.expect(known[7], 1.0)

    @pytest.mark.parametrize("place", ["s3", "database", "both"])
    def test_a_load_that_ran_out_of_time_is_continued_by_the_next_search(
        self, faces: Faces, database: Database, monkeypatch: pytest.MonkeyPatch, place: str
    ) -> None:
        known = faces.add(clustered(330))
        snapshot.compact(faces.face_set, SegmentStore(database))
        if place != "database":
            going_on = iter([True] * (3 if place == "both" else 99))
            snapshot.compact(faces.face_set, faces.segments, None, partial(next, going_on, False))
        monkeypatch.setattr(segments, "SEGMENTS_PER_READ", 1)
        monkeypatch.setattr(segments, "RANGES_AT_ONCE", 2)
        rows, left, read = faces.segments._rows, [4, 2, 99], list[int]()

        def out_of_time(first: int, end: int, embedding_id: str) -> Any:
            if not left[0]:
                left.pop(0)
                raise took_too_long()
            left[0] -= 1
            read.append(first)
            return rows(first, end, embedding_id)

        monkeypatch.setattr(faces.segments, "_rows", out_of_time)
        gallery = faces.new_gallery()
        faces.face_set.remove(known[20].token)
        for _ in range(2):
            _expect_503(gallery.apply)
            faces.face_set.remove(known[len(read) * 30].token)
        gallery.apply()

        assert read[:4] == [0, 1, 2, 3]
        assert len(read) <= 9  # seven ranges, and one that was being fetched at each end
        faces.gallery = gallery
        faces.expect(known[7], 1.0)
        assert len(gallery) == 327

    def test_an_abandoned_reading_ends(self, faces: Faces) -> None:
        faces.add(clustered(220))
        faces.compact()

        with closing(faces.segments.read(MODEL)) as reading:
            assert isinstance(next(reading), Segment)


@pytest.fixture(scope="module")
def faulty_aws(aws_endpoint: str) -> Iterator[FaultyAws]:
    faulty = FaultyAws()
    yield faulty
    faulty.stop()


class TestFaults:
    @pytest.fixture
    def faces(
        self,
        database: Database,
        crops_bucket: str,
        faulty_aws: FaultyAws,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Faces:
        monkeypatch.setenv("AWS_ENDPOINT_URL", faulty_aws.url)
        monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
        client = sdk.client("s3")
        return Faces(database, SegmentObjects(lambda: client, crops_bucket))

    @pytest.mark.parametrize("requests", ["s3.PUT", "s3.LIST", "s3.GET", "s3.DeleteObjects"])
    @pytest.mark.parametrize("fault", [throttled, broken, reset, lost, cut_off], ids=lambda fault: fault.__name__)
    @on_sqlite
    def test_a_failing_s3_is_503_and_nothing_is_lost(
        self,
        faces: Faces,
        objects: SegmentObjects,
        database: Database,
        faulty_aws: FaultyAws,
        requests: str,
        fault: Fault,
    ) -> None:
        known = faces.add(clustered(60))
        faces.compact()
        faces.face_set.remove(known[3].token)

        with faulty_aws.fault(requests, fault) as rule:
            if requests == "s3.GET" and fault is cut_off:
                faces.expect(known[4], 1.0)  # the reply states another size than the row, so the rows are read
            elif requests == "s3.GET":
                _expect_503(lambda: faces.new_gallery().apply())
            elif requests == "s3.PUT" and fault is cut_off:
                faces.compact()  # the reply has no body to cut
            else:
                _expect_503(faces.compact)
        assert rule.seen

        faces.segments._clock = lambda: time.time() + 1_000
        assert faces.compact() == 61
        assert names(objects) == named(database)
        faces.expect(known[4], 1.0)

    @on_sqlite
    def test_objects_that_s3_does_not_delete_are_deleted_next_time(
        self, faces: Faces, objects: SegmentObjects, database: Database, faulty_aws: FaultyAws
    ) -> None:
        known = faces.add(clustered(60))
        faces.compact()
        faces.face_set.remove(known[3].token)

        with faulty_aws.fault("s3.DeleteObjects", half_done):
            faces.compact()
        assert len(names(objects)) > len(named(database))
        faces.compact()

        assert names(objects) == named(database)

    @on_sqlite
    def test_a_slow_s3_does_not_exceed_the_requests_time(self, faces: Faces, faulty_aws: FaultyAws) -> None:
        faces.add(clustered(60))
        faces.compact()

        with faulty_aws.fault("s3.GET", slow(2)), deadline.within(sdk.ATTEMPT_SECONDS + 1):
            _expect_503(lambda: [list(faces.segments.read(MODEL)) for _ in range(100)])


def _expect_503(work: Callable[[], Any]) -> None:
    with pytest.raises(ServiceError) as raised:
        work()
    assert raised.value.status == 503


def _killed(faces: Faces, objects: SegmentObjects, monkeypatch: pytest.MonkeyPatch, step: int, *, before: bool) -> bool:
    """Compact; die before or after a write to the database or a request to S3. Return whether it came to that."""
    left = step

    def dying(work: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0 and before:
                raise Killed
            result = work(*arguments)
            if left == 0:
                raise Killed
            return result

        return wrapped

    with monkeypatch.context() as patch:
        patch.setattr(faces.face_set._database, "write", dying(faces.face_set._database.write))
        for method in ("put", "listed", "delete"):
            patch.setattr(objects, method, dying(getattr(objects, method)))
        try:
            faces.compact()
        except Killed:
            return True
    return False
