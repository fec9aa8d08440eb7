"""The gallery over a real face set: the same as brute force over the rows, at once, whatever happens to its copy."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from chalicelib.faces import KnownFace, SearchResult
from chalicelib.gallery import snapshot
from chalicelib.gallery.memory_gallery import MemoryGallery
from chalicelib.stores import face_set as face_set_module
from chalicelib.stores.database import Database, Parameters, Row, Transaction
from chalicelib.stores.face_set import FaceRow, FaceSet
from chalicelib.stores.model_change import ModelChange
from chalicelib.stores.segments import LEASE_SECONDS, SEGMENT_IDS, Segment, SegmentStore
from tests.embeddings import MODEL, known_faces, unit_vectors
from tests.oracle import brute_force


class Faces:
    """A face set, and galleries that look at it."""

    def __init__(self, database: Database) -> None:
        self.face_set = FaceSet(database)
        self.segments = SegmentStore(database)
        self.gallery = self.new_gallery()

    def new_gallery(self) -> MemoryGallery:
        """As a new container has it."""
        return MemoryGallery(self.face_set, self.segments, MODEL, 128)

    def add(self, faces: list[KnownFace]) -> list[KnownFace]:
        self.face_set.add_many(faces)
        return faces

    def compact(self) -> int | None:
        return snapshot.compact(self.face_set, self.segments)

    def expect(self, probe: KnownFace, threshold: float, limit: int = 10_000) -> SearchResult:
        """Search in a gallery that has followed all along and in a new one; both must say what the rows say."""
        expected = brute_force(self.face_set, MODEL, probe.embedding, threshold, limit, probe.token)
        for gallery in (self.gallery, self.new_gallery()):
            assert gallery.search(probe.embedding, threshold, limit, without=probe.token) == expected
        return expected


@pytest.fixture
def faces(database: Database) -> Faces:
    return Faces(database)


def _clustered(count: int, seed: int = 0) -> list[KnownFace]:
    """Twenty people, their faces 0.1 to 1.2 apart."""
    random = np.random.default_rng(seed)
    people = unit_vectors(20, seed=seed)
    spread = random.uniform(0.05, 0.6, (count, 1)) * unit_vectors(count, seed=seed + 1)
    return known_faces((people[random.integers(0, 20, count)] + spread).astype(np.float32))


def test_an_empty_face_set_has_no_matches(faces: Faces) -> None:
    [probe] = known_faces(unit_vectors(1))

    assert faces.expect(probe, 100.0) == SearchResult([], truncated=False)


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.65, 0.9, 2.5, 1e300])
@pytest.mark.parametrize("limit", [1, 7, 10_000])
def test_it_says_what_the_rows_say(faces: Faces, threshold: float, limit: int) -> None:
    known = faces.add(_clustered(600))

    for probe in known[:5]:
        faces.expect(probe, threshold, limit)


def test_a_face_exactly_at_the_threshold_is_a_match(faces: Faces) -> None:
    known = faces.add(_clustered(300))
    distances = [match.distance for match in faces.expect(known[0], 2.0).matches]

    for i in (0, 7, 100):
        assert len(faces.expect(known[0], distances[i]).matches) == i + 1
        assert len(faces.expect(known[0], float(np.nextafter(distances[i], 0))).matches) == i


def test_duplicates_come_in_the_order_in_which_they_were_added(faces: Faces) -> None:
    twins = known_faces(np.repeat(unit_vectors(1), 700, axis=0))
    for twin in twins[:3]:
        faces.face_set.add(twin)
    faces.add(twins[3:])

    found = faces.expect(known_faces(unit_vectors(1))[0], 0.0, limit=600)

    assert [match.token for match in found.matches] == [twin.token for twin in twins[:600]]
    assert found.truncated


@pytest.mark.parametrize(("limit", "truncated"), [(298, True), (299, False), (300, False)])
def test_it_tells_whether_there_are_more(faces: Faces, limit: int, truncated: bool) -> None:
    known = faces.add(_clustered(300))

    assert faces.expect(known[0], 100.0, limit).truncated is truncated


def test_every_change_is_seen_by_the_next_search(faces: Faces) -> None:
    for face in _clustered(30):
        faces.face_set.add(face)
        assert faces.gallery.search(face.embedding, 0.0, 10).matches[0].token == face.token
        faces.face_set.rename(face.token, "renamed")
        assert faces.gallery.search(face.embedding, 0.0, 10).matches[0].name == "renamed"
        faces.face_set.remove(face.token)
        assert faces.gallery.search(face.embedding, 0.0, 10).matches == []
        faces.face_set.add(face)


def test_faces_of_another_model_are_never_compared(faces: Faces) -> None:
    vectors = unit_vectors(3)
    faces.add(known_faces(vectors))
    ids = [row.id for row in faces.face_set.vectors(0, 2**62)]
    ModelChange(faces.face_set._database).add_embeddings(
        "another-128-ba9876543210", dict(zip(ids, -vectors, strict=True))
    )
    faces.compact()

    assert len(faces.expect(known_faces(vectors)[0], 100.0).matches) == 3


class Clock:
    """Seconds since 1970, as the test sets them."""

    def __init__(self) -> None:
        self.now = 1_900_000_000

    def __call__(self) -> int:
        return self.now


class TestCompaction:
    def test_a_new_container_needs_no_log(self, faces: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
        known = faces.add(_clustered(500))
        monkeypatch.setattr(snapshot, "CHANGES_KEPT", 0)

        assert faces.compact() == 500

        assert faces.face_set.changes_since(0, MODEL) is None
        assert len(faces.expect(known[0], 1.0).matches) > 5

    def test_changes_after_it_are_applied_to_what_it_packed(self, faces: Faces) -> None:
        known = faces.add(_clustered(200))
        faces.compact()
        more = faces.add(_clustered(100, seed=5))
        for face in known[:50] + more[:50]:
            faces.face_set.remove(face.token)

        faces.expect(known[60], 1.0)
        faces.expect(more[60], 1.0)

    def test_a_removed_faces_code_is_gone_from_every_segment(self, faces: Faces, database: Database) -> None:
        known = faces.add(_clustered(300))
        faces.compact()
        code, face_id = self._code(database, 150)
        assert code in self._all_bytes(database)

        faces.face_set.remove(known[150].token)
        faces.compact()

        assert code not in self._all_bytes(database)
        assert face_id not in self._ids(database)
        assert len(self._ids(database)) == 299

    def test_only_segments_that_changed_are_packed_again(self, faces: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(snapshot, "SEGMENT_IDS", 50)
        known = faces.add(_clustered(500))
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
        faces.add(_clustered(10))
        faces.compact()
        monkeypatch.setattr(snapshot, "_pack", lambda *_: pytest.fail("packed again"))

        assert faces.compact() == 10

    def test_a_crash_at_any_step_loses_nothing(self, faces: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
        """The compaction is killed before its first, second, ... write; searches go on, and the next one completes."""
        monkeypatch.setattr(snapshot, "SEGMENT_IDS", 100)
        clock = Clock()
        monkeypatch.setattr(faces.segments, "_clock", clock)
        known = faces.add(_clustered(350))
        faces.compact()
        for step in range(1, 12):
            gone = known.pop()
            faces.face_set.remove(gone.token)
            faces.add(_clustered(20, seed=step))
            self._die_before_write(faces, monkeypatch, step)
            faces.expect(known[step], 1.0)
            clock.now += LEASE_SECONDS + 1  # the dead one's lease runs out
        assert faces.compact() == faces.face_set.version()
        faces.expect(known[0], 1.0)

    def test_of_two_at_once_one_steps_back(self, faces: Faces) -> None:
        faces.add(_clustered(10))
        assert faces.segments.claim() is not None

        assert faces.compact() is None

    def test_one_that_is_overtaken_writes_nothing_more(self, faces: Faces, database: Database) -> None:
        known = faces.add(_clustered(100))
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

    def test_faces_that_are_spread_over_many_segments(self, faces: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(snapshot, "SEGMENT_IDS", 16)
        monkeypatch.setattr(snapshot, "CHANGES_PER_STEP", 37)
        known = faces.add(_clustered(400))

        faces.compact()

        faces.expect(known[9], 1.0)

    def test_a_segment_of_the_longest_embeddings_fits_a_packet(self, database: Database) -> None:
        """512 dimensions, and bytes that a driver must escape: quotes, backslashes, zeros."""
        segments = SegmentStore(database)
        run = segments.claim()
        assert run is not None
        codes = b"\\'\0\"" * (SEGMENT_IDS * 128)
        ids = np.arange(SEGMENT_IDS, dtype="<i8").tobytes()

        segments.replace(run, 0, [Segment(MODEL, -17, 0.1, ids, codes)])

        assert next(segments.read(MODEL)).codes == codes

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

    @staticmethod
    def _ids(database: Database) -> list[int]:
        rows = database.read("SELECT ids FROM face_set_segment")
        return [i for (ids,) in rows for i in np.frombuffer(ids, "<i8").tolist()]

    @staticmethod
    def _all_bytes(database: Database) -> bytes:
        return b"".join(codes for (codes,) in database.read("SELECT codes FROM face_set_segment"))

    @staticmethod
    def _code(database: Database, index: int) -> tuple[bytes, int]:
        rows = database.read("SELECT ids, codes FROM face_set_segment")
        by_id: dict[int, NDArray[np.int8]] = {}
        for ids, codes in rows:
            values = np.frombuffer(codes, np.int8).reshape(-1, 128)
            by_id |= dict(zip(np.frombuffer(ids, "<i8").tolist(), values, strict=True))
        face_id = sorted(by_id)[index]
        return by_id[face_id].tobytes(), face_id


class TestCurrency:
    def test_a_gallery_behind_the_pruned_mark_reads_anew(self, faces: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
        known = faces.add(_clustered(100))
        faces.expect(known[0], 1.0)
        for face in faces.add(_clustered(50, seed=3))[:20]:
            faces.face_set.remove(face.token)
        monkeypatch.setattr(snapshot, "CHANGES_KEPT", 0)
        faces.compact()

        faces.expect(known[0], 1.0)

    def test_more_changes_than_one_poll_returns(self, faces: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in (face_set_module, __import__("chalicelib.gallery.memory_gallery", fromlist=["x"])):
            monkeypatch.setattr(module, "MAX_CHANGES_PER_POLL", 10)
        monkeypatch.setattr(FaceSet.changes_since, "__defaults__", (10,))
        known = faces.add(_clustered(95))

        faces.expect(known[0], 1.0)

    def test_many_searches_at_once_in_one_process(self, faces: Faces) -> None:
        """Eight threads, each checks its own read-your-writes while the others change the set under it."""
        faces.add(_clustered(1_000))

        def visit(thread: int) -> int:
            for face in known_faces(unit_vectors(12, seed=100 + thread) * np.float32(3)):
                faces.face_set.add(face)
                assert [m.token for m in faces.gallery.search(face.embedding, 0.0, 10).matches] == [face.token]
                faces.face_set.remove(face.token)
                assert faces.gallery.search(face.embedding, 0.0, 10).matches == []
            return 12

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(visit, range(8))) == 96
        assert len(faces.gallery) == 1_000

    def test_faces_that_vanish_after_the_scan_make_room_for_others(
        self, faces: Faces, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        known = faces.add(_clustered(300))
        probe = known[0]
        order = brute_force(faces.face_set, MODEL, probe.embedding, 10.0, 300, probe.token).matches
        fetch = faces.face_set.fetch

        def remove_then_fetch(ids: Sequence[int], embedding_id: str) -> list[FaceRow]:
            monkeypatch.setattr(faces.face_set, "fetch", fetch)
            for match in order[:4]:
                faces.face_set.remove(match.token)
            return fetch(ids, embedding_id)

        monkeypatch.setattr(faces.face_set, "fetch", remove_then_fetch)

        found = faces.gallery.search(probe.embedding, 10.0, 5, without=probe.token)

        assert [m.token for m in found.matches] == [m.token for m in order[4:9]]


class TestAddingMany:
    def test_versions_are_gapless_and_in_the_order_of_the_ids(self, faces: Faces) -> None:
        faces.add(_clustered(40))
        faces.face_set.add(_clustered(1, seed=9)[0])

        changes = faces.face_set.changes_since(0, MODEL)

        assert changes is not None
        assert [change.version for change in changes] == list(range(1, 42))
        assert [change.face_id for change in changes] == sorted(change.face_id for change in changes)

    def test_faces_that_are_there_are_renamed(self, faces: Faces) -> None:
        known = faces.add(_clustered(10))
        again = [KnownFace(f.token, "again", f.embedding, f.embedding_id, f.crop) for f in known[:4]]

        assert faces.face_set.add_many(again + _clustered(3, seed=4)) == 3

        assert faces.face_set.count() == 13
        assert faces.face_set.version() == 13
        face = faces.face_set.get(known[0].token, MODEL)
        assert face is not None
        assert face.name == "again"

    def test_adding_nobody_does_nothing(self, faces: Faces) -> None:
        assert faces.face_set.add_many([]) == 0

    def test_several_at_once_lose_nothing(self, faces: Faces) -> None:
        with ThreadPoolExecutor(4) as pool:
            added = list(pool.map(lambda seed: faces.face_set.add_many(_clustered(100, seed=seed)), range(8)))

        assert sum(added) == 800
        changes = faces.face_set.changes_since(0, MODEL)
        assert changes is not None
        assert len({change.face_id for change in changes}) == 800

    def test_a_token_that_somebody_adds_meanwhile_is_renamed(
        self, faces: Faces, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Between the look whether it is there and the insertion."""
        known = _clustered(5)
        query = Transaction.query

        def query_then_lose_the_race(transaction: Transaction, sql: str, parameters: Parameters = ()) -> list[Row]:
            rows = query(transaction, sql, parameters)
            monkeypatch.setattr(Transaction, "query", query)
            transaction.insert(face_set_module._INSERT, (known[2].token, "", b"", "", 0, 1))
            return rows

        monkeypatch.setattr(Transaction, "query", query_then_lose_the_race)

        assert faces.face_set.add_many(known) == 5
