"""Each of several face sets in one database and gallery is searched exactly, without lost or stray faces."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest

from chalicelib.errors import ServiceError
from chalicelib.faces import DEFAULT_SET_ID, KnownFace, SearchResult, TemporaryFace, Terms
from chalicelib.gallery import snapshot
from chalicelib.gallery.memory_gallery import MemoryGallery
from chalicelib.service.removal import FACES_PER_BATCH, MAX_SECONDS, Removal
from chalicelib.stores.aws.crops import Crop, CropStore
from chalicelib.stores.aws.tokens import TokenStore
from chalicelib.stores.database.base import Database, Transaction
from chalicelib.stores.database.connect import connect
from chalicelib.stores.face_set import face_set as face_set_module
from chalicelib.stores.face_set import face_set_names
from chalicelib.stores.face_set.change_log import log_additions
from chalicelib.stores.face_set.face_listing import FaceListing
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.stores.face_set.face_set_names import FaceSetNames
from chalicelib.stores.face_set.people import People
from chalicelib.stores.face_set.segments import SegmentStore
from tests.embeddings import MODEL, known_faces, unit_vectors
from tests.oracle import brute_force, by_person

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

# Faces without a face set.
WITHOUT_A_SET = """SELECT COUNT(*) FROM face_set AS face LEFT JOIN face_set_name AS named ON named.id = face.set_id
    WHERE named.id IS NULL"""


class Sets:
    """Three face sets of the same people, and galleries that search them."""

    def __init__(self, database: Database) -> None:
        self.face_set = FaceSet(database)
        self.names = FaceSetNames(database)
        self.segments = SegmentStore(database)
        self.gallery = self.new_gallery()
        assert self.names.create("staff")
        assert self.names.create("guests")
        self.ids = [DEFAULT_SET_ID, self.names.id_of("staff"), self.names.id_of("guests")]

    def new_gallery(self) -> MemoryGallery:
        return MemoryGallery(self.face_set, self.segments, MODEL, 128)

    def add(self, count: int, seed: int) -> list[KnownFace]:
        """Add faces of twenty people to random sets."""
        random = np.random.default_rng(seed)
        spread = random.uniform(0.05, 0.6, (count, 1)) * unit_vectors(count, seed=seed + 1)
        vectors = unit_vectors(20)[random.integers(0, 20, count)] + spread
        faces = [
            face._replace(
                name=f"person {random.integers(30)}" if i % 5 else "unknown", set_id=int(random.choice(self.ids))
            )
            for i, face in enumerate(known_faces(vectors.astype(np.float32)))
        ]
        self.face_set.add_many(faces)
        return faces

    def expect(self, probes: Sequence[KnownFace]) -> None:
        """Search every set in a gallery that has followed every change and in a new one; both must match the rows."""
        for gallery in (self.gallery, self.new_gallery()):
            for probe in probes:
                for set_id in self.ids:
                    for threshold, limit in ((0.7, 10_000), (1.3, 7), (100.0, 10_000)):
                        self._expect(gallery, probe, set_id, threshold, limit)

    def _expect(self, gallery: MemoryGallery, probe: KnownFace, set_id: int, threshold: float, limit: int) -> None:
        everybody = brute_force(self.face_set, MODEL, probe.embedding, threshold, 10_000, probe.token, set_id)
        few = SearchResult(everybody.matches[:limit], truncated=len(everybody.matches) > limit)
        terms = {"without": probe.token, "set_id": set_id}
        assert gallery.search(probe.embedding, Terms(threshold, limit, **terms)) == few  # type: ignore[arg-type]
        people = gallery.search(probe.embedding, Terms(threshold, limit, **terms, by_person=True))  # type: ignore[arg-type]
        assert people == by_person(everybody.matches, limit)


@pytest.fixture
def sets(database: Database) -> Sets:
    return Sets(database)


class TestSearching:
    def test_each_set_is_searched_as_if_it_were_the_only_one(self, sets: Sets) -> None:
        known = sets.add(300, seed=1)

        sets.expect(known[:3])

    def test_segments_contain_the_sets_without_the_log(self, sets: Sets, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(snapshot, "CHANGES_KEPT", 0)
        known = sets.add(300, seed=1)
        assert snapshot.compact(sets.face_set, sets.segments) == 300
        assert sets.face_set.changes_since(0, MODEL) is None

        sets.expect(known[:2])

        for face in known[:60]:
            sets.face_set.remove(face.token)
        known = sets.add(80, seed=9)
        sets.expect(known[:2])

    def test_the_next_search_sees_every_change(self, sets: Sets) -> None:
        for number, [face] in enumerate(known_faces(unit_vectors(1, seed=seed)) for seed in range(12)):
            set_id = sets.ids[number % 3]
            sets.face_set.add(face._replace(set_id=set_id))
            for other in sets.ids:
                found = sets.gallery.search(face.embedding, Terms(0.0, 10, set_id=other)).matches
                assert [match.token for match in found] == ([face.token] if other == set_id else [])
            sets.face_set.remove(face.token)
            assert sets.gallery.search(face.embedding, Terms(0.0, 10, set_id=set_id)).matches == []

    def test_reusing_a_removed_faces_place_in_a_block_replaces_its_set(self, sets: Sets) -> None:
        first, *rest = [face._replace(set_id=sets.ids[i % 3]) for i, face in enumerate(known_faces(unit_vectors(30)))]
        sets.face_set.add_many([first, *rest])
        sets.gallery.apply()
        for face in (first, *rest[:14]):
            sets.face_set.remove(face.token)

        sets.expect(rest[14:17])


class TestMembership:
    def test_a_face_is_in_one_set(self, sets: Sets) -> None:
        [face] = known_faces(unit_vectors(1), set_id=sets.ids[1])
        sets.face_set.add(face)

        moved = face._replace(set_id=sets.ids[2])

        for add in (partial(sets.face_set.add, moved), partial(sets.face_set.add_many, [moved])):
            with pytest.raises(ServiceError) as caught:
                add()
            assert (caught.value.code, caught.value.status) == ("1001", 400)
        assert sets.face_set.set_of(face.token) == sets.ids[1]
        assert sets.face_set.version() == 1

    def test_no_face_is_added_to_a_deleted_set(self, sets: Sets) -> None:
        assert sets.names.delete_if_empty(sets.ids[1])
        faces = known_faces(unit_vectors(2), set_id=sets.ids[1])

        for add in (partial(sets.face_set.add, faces[0]), partial(sets.face_set.add_many, faces)):
            with pytest.raises(ServiceError) as caught:
                add()
            assert (caught.value.code, caught.value.status) == ("1001", 404)
        assert sets.face_set.count() == 0

    def test_a_set_with_a_face_is_not_deleted(self, sets: Sets) -> None:
        [face] = known_faces(unit_vectors(1), set_id=sets.ids[1])
        sets.face_set.add(face)

        assert not sets.names.delete_if_empty(sets.ids[1])
        assert sets.names.id_of("staff") == sets.ids[1]

    def test_a_set_is_not_deleted_while_a_face_is_added(
        self, sets: Sets, database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A deletion between the addition's statements waits for the addition's commit, and then sees the face."""
        deleting: list[Future[bool]] = []

        def log_while_it_is_deleted(transaction: Transaction, face_ids: Sequence[int], active: str | None) -> None:
            deleting.append(executor.submit(FaceSetNames(connect(database_url)).delete_if_empty, sets.ids[1]))
            wait(deleting, timeout=0.5)
            log_additions(transaction, face_ids, active)

        monkeypatch.setattr(face_set_module, "log_additions", log_while_it_is_deleted)
        with ThreadPoolExecutor(1) as executor:
            sets.face_set.add(known_faces(unit_vectors(1), set_id=sets.ids[1])[0])

        assert [future.result() for future in deleting] == [False]
        assert sets.names.all()[2] == ("staff", 1)

    def test_a_set_that_is_created_again_has_another_id(self, sets: Sets) -> None:
        sets.names.delete_if_empty(sets.ids[2])
        sets.names.create("guests")

        assert sets.names.id_of("guests") not in sets.ids

    def test_only_one_of_many_concurrent_callers_creates_a_set(self, sets: Sets) -> None:
        with ThreadPoolExecutor(8) as executor:
            made = list(executor.map(sets.names.create, ["new"] * 8))

        assert sorted(made) == [False] * 7 + [True]

    def test_the_number_of_face_sets_is_limited(self, sets: Sets, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(face_set_names, "MAX_FACE_SETS", 3)

        with pytest.raises(ServiceError, match="at most 3 face sets"):
            sets.names.create("one too many")
        assert sets.names.create("staff") is False


class Clock:
    """A clock in seconds that advances by `step` at each call."""

    def __init__(self, step: float) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


class TestRemoval:
    @pytest.fixture
    def crops(self, s3: S3Client, crops_bucket: str) -> CropStore:
        return CropStore(s3, crops_bucket)

    @pytest.fixture
    def tokens(self, dynamodb: DynamoDBClient, tokens_table: str) -> TokenStore:
        return TokenStore(dynamodb, tokens_table, 60)

    def test_a_deleted_sets_rows_crops_and_tokens_go_and_others_stay(
        self, sets: Sets, database: Database, crops: CropStore, tokens: TokenStore, s3: S3Client, crops_bucket: str
    ) -> None:
        gone, stay = (
            [self.save(face, sets, crops, tokens) for face in known_faces(unit_vectors(5, seed=i), set_id=set_id)]
            for i, set_id in enumerate(sets.ids[1:])
        )

        removed = self.removal(database, crops, tokens).remove_set("staff")

        assert removed == (5, True)
        assert [face.token for face in gone if tokens.get(face.token) or sets.face_set.set_of(face.token)] == []
        assert [face.token for face in stay if tokens.get(face.token) and sets.face_set.set_of(face.token)] == [
            face.token for face in stay
        ]
        kept = {item["Key"] for item in s3.list_objects_v2(Bucket=crops_bucket)["Contents"]}
        assert kept == {f"faces/{face.crop}" for face in stay} | {f"temporary/{face.token}.jpg" for face in stay}
        assert sets.names.all() == [("default", 0), ("guests", 5)]
        assert sets.face_set.version() == 15
        assert sets.gallery.search(gone[0].embedding, Terms(9.0, 10, set_id=sets.ids[1])).matches == []

    def test_a_deletion_stops_at_its_time_limit_and_the_next_call_continues_it(
        self, sets: Sets, database: Database, crops: CropStore, tokens: TokenStore
    ) -> None:
        sets.face_set.add_many(known_faces(unit_vectors(2 * FACES_PER_BATCH + 7), set_id=sets.ids[1]))

        slow = self.removal(database, crops, tokens, Clock(MAX_SECONDS + 1))
        assert [slow.remove_set("staff") for _ in range(4)] == [
            (FACES_PER_BATCH, False),
            (FACES_PER_BATCH, False),
            (7, False),
            (0, True),
        ]
        with pytest.raises(ServiceError) as caught:
            slow.remove_set("staff")
        assert caught.value.status == 404

    @pytest.mark.usefixtures("patient")
    def test_a_face_added_during_a_deletion_is_removed_or_refused(
        self, sets: Sets, database_url: str, crops: CropStore, tokens: TokenStore
    ) -> None:
        """Six clients add faces while the set is deleted. No face may be left without a face set."""
        begun = threading.Barrier(7)
        answers: list[str] = []

        def add(seed: int) -> int:
            face_set = FaceSet(connect(database_url))
            begun.wait()
            for number, face in enumerate(known_faces(unit_vectors(40, seed=seed), set_id=sets.ids[1])):
                try:
                    face_set.add(face)
                except ServiceError as error:
                    if error.status == 503:  # SQLite, while six others write
                        continue
                    answers.append(f"{error.code} {error.status}")
                    return number
            return 40

        with ThreadPoolExecutor(6) as executor:
            adding = [executor.submit(add, seed) for seed in range(6)]
            begun.wait()
            database = connect(database_url)
            # Stop the clock, because the delay by six writers depends on the machine.
            removed = self.removal(database, crops, tokens, clock=lambda: 0.0).remove_set("staff")
            added = sum(future.result() for future in adding)

        assert removed.done
        assert database.read(WITHOUT_A_SET) == [(0,)]
        assert sets.face_set.count() == 0
        # Empty if all six finished before the set was deleted.
        assert set(answers) <= {"1001 404"}
        assert added >= removed.faces
        assert sets.face_set.version() == 2 * removed.faces

    @staticmethod
    def removal(
        database: Database, crops: CropStore, tokens: TokenStore, clock: Callable[[], float] | None = None
    ) -> Removal:
        parts = (FaceListing(database), FaceSetNames(database), FaceSet(database), tokens, crops, People(database))
        return Removal(*parts) if clock is None else Removal(*parts, clock=clock)

    @staticmethod
    def save(face: KnownFace, sets: Sets, crops: CropStore, tokens: TokenStore) -> KnownFace:
        """Add a face as the service does, with its token and both its crops."""
        temporary = f"{face.token}.jpg"
        crops.save_temporary([Crop(temporary, b"jpeg", None)])
        tokens.save([TemporaryFace(face.token, face.embedding, MODEL, temporary, tokens.expiry())])
        face = face._replace(crop=crops.keep(temporary) or "")
        sets.face_set.add(face)
        return face
