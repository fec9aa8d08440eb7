"""New containers load the compacted segments correctly, whatever happens while they are written."""

from __future__ import annotations

import time

import numpy as np
import pytest
from numpy.typing import NDArray

from chalicelib.gallery import snapshot
from chalicelib.maintenance import operations
from chalicelib.settings import Settings
from chalicelib.stores.aws.segment_objects import SegmentObjects
from chalicelib.stores.database.base import Database
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.stores.face_set.segments import LEASE_SECONDS, SEGMENT_IDS, Segment, SegmentStore
from chalicelib.telemetry import metrics
from chalicelib.telemetry.metrics import Metric
from chalicelib.wiring import Wiring
from tests.embeddings import MODEL
from tests.integration.gallery_faces import Faces, clustered


@pytest.fixture
def faces(database: Database) -> Faces:
    return Faces(database)


class Clock:
    """A clock in seconds since 1970 that the test sets."""

    def __init__(self) -> None:
        self.now = 1_900_000_000

    def __call__(self) -> int:
        return self.now


class TestCompaction:
    def test_a_new_container_needs_no_log(self, faces: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
        known = faces.add(clustered(500))
        monkeypatch.setattr(snapshot, "CHANGES_KEPT", 0)

        assert faces.compact() == 500

        assert faces.face_set.changes_since(0, MODEL) is None
        assert len(faces.expect(known[0], 1.0).matches) > 5

    def test_the_last_changes_stay_in_the_log(self, faces: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(snapshot, "CHANGES_KEPT", 3)
        faces.add(clustered(10))

        assert faces.compact() == 10

        assert len(faces.face_set.changes_since(7, MODEL) or ()) == 3
        assert faces.face_set.changes_since(6, MODEL) is None

    def test_changes_after_a_compaction_are_applied_to_its_segments(self, faces: Faces) -> None:
        known = faces.add(clustered(200))
        faces.compact()
        more = faces.add(clustered(100, seed=5))
        for face in known[:50] + more[:50]:
            faces.face_set.remove(face.token)

        faces.expect(known[60], 1.0)
        faces.expect(more[60], 1.0)

    def test_a_removed_faces_code_is_gone_from_every_segment(self, faces: Faces, database: Database) -> None:
        known = faces.add(clustered(300))
        faces.compact()
        code, face_id = self._code(faces, 150)
        assert code in self._all_bytes(database)

        faces.face_set.remove(known[150].token)
        faces.compact()

        assert code not in self._all_bytes(database)
        assert face_id not in self._codes(faces)
        assert len(self._codes(faces)) == 299

    def test_only_segments_that_changed_are_packed_again(self, faces: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(snapshot, "SEGMENT_IDS", 50)
        known = faces.add(clustered(500))
        faces.compact()
        packed: list[int] = []
        pack = snapshot._pack

        def counting_pack(face_set: FaceSet, number: int) -> list[Segment]:
            packed.append(number)
            return pack(face_set, number)

        monkeypatch.setattr(snapshot, "_pack", counting_pack)

        faces.face_set.remove(known[120].token)
        faces.compact()

        assert len(packed) == 1
        faces.expect(known[121], 1.0)

    def test_nothing_is_done_when_nothing_changed(self, faces: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
        faces.add(clustered(10))
        faces.compact()
        monkeypatch.setattr(snapshot, "_pack", lambda *_: pytest.fail("packed again"))

        assert faces.compact() == 10

    def test_a_crash_at_any_step_loses_nothing(self, faces: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
        """Compaction is killed before its first, second, ... write. Searches go on; the next compaction completes."""
        monkeypatch.setattr(snapshot, "SEGMENT_IDS", 100)
        clock = Clock()
        monkeypatch.setattr(faces.segments, "_clock", clock)
        known = faces.add(clustered(350))
        faces.compact()
        for step in range(1, 12):
            gone = known.pop()
            faces.face_set.remove(gone.token)
            faces.add(clustered(20, seed=step))
            self._die_before_write(faces, monkeypatch, step)
            faces.expect(known[step], 1.0)
            clock.now += LEASE_SECONDS + 1  # the lease of the killed compaction expires
        assert faces.compact() == faces.face_set.version()
        faces.expect(known[0], 1.0)

    def test_only_one_compaction_runs_at_a_time(self, faces: Faces) -> None:
        faces.add(clustered(10))
        assert faces.segments.claim() is not None

        assert faces.compact() is None

    @pytest.mark.parametrize("ahead", [5 * 365 * 86_400, 3 * LEASE_SECONDS])
    def test_a_lease_that_no_correct_clock_can_have_set_is_ignored(
        self, faces: Faces, database: Database, ahead: int
    ) -> None:
        faces.add(clustered(10))
        wrong = SegmentStore(database, clock=lambda: time.time() + ahead)
        killed = wrong.claim()
        assert killed is not None

        assert faces.compact() == 10

        assert not wrong.state(killed, 10)

    @pytest.mark.parametrize("ahead", [-LEASE_SECONDS // 2, 0, LEASE_SECONDS // 2])
    def test_clocks_that_differ_slightly_keep_the_lease(self, faces: Faces, database: Database, ahead: int) -> None:
        assert SegmentStore(database, clock=lambda: time.time() + ahead).claim() is not None

        assert faces.segments.claim() is None

    def test_a_skipped_run_is_measured(self, faces: Faces, database: Database) -> None:
        parts = Wiring(Settings.from_environment({"DATABASE_URL": "sqlite:///unused", "GALLERY": "memory"}))
        parts.segments, parts.face_set = faces.segments, faces.face_set
        with metrics.collecting() as taken:
            operations.compact(parts)
        assert taken == []
        assert SegmentStore(database).claim() is not None

        with metrics.collecting() as taken:
            assert operations.compact(parts) == "another compaction is at work"

        assert taken == [(Metric.SKIPPED, 1)]

    def test_a_compaction_that_is_overtaken_stops_writing(self, faces: Faces, database: Database) -> None:
        known = faces.add(clustered(100))
        slow = faces.segments.claim()
        assert slow is not None
        stale = snapshot._pack(faces.face_set, 0)
        later = SegmentStore(database, clock=lambda: 1e10)
        faces.face_set.remove(known[3].token)

        assert snapshot.compact(faces.face_set, later) == 101

        assert not faces.segments.replace(slow, 0, stale)
        assert not faces.segments.state(slow, 100)
        assert faces.segments.version() == 101
        faces.expect(known[4], 1.0)

    def test_faces_spread_over_many_segments_are_found(self, faces: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(snapshot, "SEGMENT_IDS", 16)
        monkeypatch.setattr(snapshot, "CHANGES_PER_STEP", 37)
        known = faces.add(clustered(400))

        faces.compact()

        faces.expect(known[9], 1.0)

    def test_a_segment_of_the_longest_embeddings_fits_into_a_packet(self, faces: Faces) -> None:
        """Uses 512 dimensions, and bytes that a driver must escape: quotes, backslashes, zeros."""
        run = faces.segments.claim()
        assert run is not None
        codes = b"\\'\0\"" * (SEGMENT_IDS * 128)
        ids = np.arange(SEGMENT_IDS, dtype="<i8").tobytes()

        faces.segments.replace(run, 0, [Segment(MODEL, -17, 0.1, ids, codes)])

        assert next(faces.segments.read(MODEL)).codes == codes

    @staticmethod
    def _die_before_write(faces: Faces, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
        class Killed(BaseException):
            pass

        database = faces.face_set._database
        write, writes = database.write, 0

        def write_until_killed(work: object) -> object:
            nonlocal writes
            writes += 1
            if writes == step:
                raise Killed
            return write(work)  # type: ignore[arg-type]

        with monkeypatch.context() as patch:
            patch.setattr(database, "write", write_until_killed)
            try:
                faces.compact()
            except Killed:
                return

    def _all_bytes(self, database: Database) -> bytes:
        return b"".join(codes for (codes,) in database.read("SELECT codes FROM face_set_segment"))

    def _code(self, faces: Faces, index: int) -> tuple[bytes, int]:
        codes = self._codes(faces)
        face_id = sorted(codes)[index]
        return codes[face_id].tobytes(), face_id

    @staticmethod
    def _codes(faces: Faces) -> dict[int, NDArray[np.int8]]:
        """Return the packed code of every face id."""
        by_id: dict[int, NDArray[np.int8]] = {}
        for segment in faces.segments.read(MODEL):
            values = np.frombuffer(segment.codes, np.int8).reshape(-1, 128)
            by_id |= dict(zip(np.frombuffer(segment.ids, "<i8").tolist(), values, strict=True))
        return by_id


class TestCompactionIntoS3(TestCompaction):
    """The same with the bytes in S3; test_segment_objects.py has what differs there."""

    @pytest.fixture
    def faces(self, database: Database, objects: SegmentObjects) -> Faces:
        return Faces(database, objects)

    @pytest.fixture(autouse=True)
    def _in_bucket(self, objects: SegmentObjects) -> None:
        self._objects = objects

    def _all_bytes(self, database: Database) -> bytes:
        in_s3 = [self._objects.read(name, size) for name, size, _ in self._objects.listed()]
        return b"".join([super()._all_bytes(database), *(data for data in in_s3 if data)])
