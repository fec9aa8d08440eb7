"""The gallery over a vector index equals brute force over the rows at once, provided the index finds all neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest

from chalicelib.errors import ServiceError
from chalicelib.faces import Embedding, KnownFace, SearchResult, Terms
from chalicelib.gallery import snapshot, vector_gallery
from chalicelib.stores.aws import vector_store
from chalicelib.stores.aws.vector_store import VectorStore
from chalicelib.stores.database.base import Database
from chalicelib.stores.face_set.active_model import ModelChangedError
from chalicelib.stores.face_set.face_set import FaceSet
from infra.s3_vectors.emulation import emulation
from infra.s3_vectors.faults import Failure, Fault, Moment, NthFails
from tests.embeddings import MODEL, known_faces, unit_vectors
from tests.integration.gallery_faces import clustered
from tests.integration.vector_faces import VectorFaces
from tests.oracle import brute_force, by_person

if TYPE_CHECKING:
    from mypy_boto3_s3vectors import S3VectorsClient


def test_memory_answers_until_there_is_an_index(database: Database, s3_vectors: S3VectorsClient) -> None:
    faces = VectorFaces(database, s3_vectors)
    known = faces.add(clustered(100))

    faces.expect(known[0], 1.0)

    assert faces.gallery.contents().exact
    faces.build()
    faces.expect(known[0], 1.0)
    contents = faces.gallery.contents()
    assert (contents.exact, contents.faces, contents.version) == (False, None, 100)


def test_an_empty_face_set_has_no_matches(faces: VectorFaces) -> None:
    [probe] = known_faces(unit_vectors(1))

    assert faces.expect(probe, 100.0) == SearchResult([], truncated=False)


@pytest.mark.parametrize("applied", [0, 125, 250])
@pytest.mark.parametrize("limit", [1, 7, 10_000])
def test_results_equal_brute_force_over_the_rows(faces: VectorFaces, applied: int, limit: int) -> None:
    """Whatever part of the log the index has applied."""
    known = clustered(250)
    faces.add(known[:applied])
    faces.changes.apply()
    faces.add(known[applied:])

    for threshold in (0.0, 0.3, 0.65, 2.5, 1e300):
        for probe in (known[0], known[-1]):
            faces.expect(probe, threshold, limit)


def test_a_face_exactly_at_the_threshold_is_a_match(faces: VectorFaces) -> None:
    known = faces.add(clustered(300))
    faces.changes.apply()
    distances = [match.distance for match in faces.expect(known[0], 2.0).matches]

    for i in (0, 7, 100):
        assert len(faces.expect(known[0], distances[i]).matches) == i + 1
        assert len(faces.expect(known[0], float(np.nextafter(distances[i], 0))).matches) == i


def test_equally_near_faces_are_returned_in_the_order_of_addition(faces: VectorFaces) -> None:
    """Including faces that the index would leave out if it were asked only for the limit."""
    twins = known_faces(np.repeat(unit_vectors(1), 700, axis=0))
    faces.add(twins)
    faces.changes.apply()

    found = faces.expect(known_faces(unit_vectors(1))[0], 0.0, limit=50)

    assert [match.token for match in found.matches] == [twin.token for twin in twins[:50]]
    assert found.truncated


def test_a_search_for_people_equals_brute_force(faces: VectorFaces) -> None:
    known = clustered(200)
    named = [KnownFace(f.token, f"person {i % 7}", *_rest(f)) for i, f in enumerate(known)]
    faces.add(named)
    faces.changes.apply()

    everybody = brute_force(faces.face_set, MODEL, named[0].embedding, 0.9, 10_000)
    assert faces.gallery.search(named[0].embedding, Terms(0.9, 3, by_person=True)) == by_person(everybody.matches, 3)


def _rest(face: KnownFace) -> tuple[Embedding, str, str, int]:
    return face.embedding, face.embedding_id, face.crop, face.set_id


class TestChanges:
    def test_the_next_search_sees_every_change(self, faces: VectorFaces) -> None:
        """Whether or not the change is applied, and whatever the index still holds."""
        for number, face in enumerate(clustered(30)):
            faces.add([face])
            faces.expect(face, 0.7)
            assert _tokens(faces, face) == [face.token]
            if number % 3 == 0:
                faces.changes.apply()
            if number % 2 == 0:
                faces.face_set.remove(face.token)
                assert _tokens(faces, face) == []
                faces.expect(face, 0.7)

    def test_other_faces_take_the_places_of_removed_ones(self, faces: VectorFaces) -> None:
        """The index proposes removed faces until their removal is applied."""
        twins = known_faces(np.repeat(unit_vectors(1), 300, axis=0))
        faces.add(twins)
        faces.changes.apply()
        faces.face_set.remove_many([twin.token for twin in twins[:250]])

        found = faces.expect(known_faces(unit_vectors(1))[0], 0.0, limit=20)

        assert [match.token for match in found.matches] == [twin.token for twin in twins[250:270]]

    def test_a_gallery_drops_changes_that_the_index_has_applied(self, faces: VectorFaces) -> None:
        faces.add(clustered(50))
        faces.gallery.search(unit_vectors(1)[0], Terms(1.0, 10))
        assert len(faces.gallery._tail) == 50

        faces.changes.apply()
        faces.gallery.search(unit_vectors(1)[0], Terms(1.0, 10))

        assert len(faces.gallery._tail) == 0
        assert len(faces.gallery._tail._codes) == 0

    def test_an_index_that_is_too_far_behind_is_not_queried(
        self, faces: VectorFaces, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(vector_gallery, "MAX_TAIL", 20)
        [probe, *_] = faces.add(clustered(21))

        with pytest.raises(ServiceError) as failed:
            faces.gallery.search(probe.embedding, Terms(1.0, 10))

        assert (failed.value.status, failed.value.retry_after) == (503, 2)
        assert "21 changes behind" in caplog.text
        faces.changes.apply()
        faces.expect(probe, 1.0)

    def test_the_log_is_kept_for_the_index(self, faces: VectorFaces, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(snapshot, "CHANGES_KEPT", 0)
        known = faces.add(clustered(40))
        faces.compact()

        faces.expect(known[0], 1.0)
        faces.changes.apply()

        faces.expect_equal()

    def test_without_the_log_the_index_must_be_rebuilt(
        self, faces: VectorFaces, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """As after another setting was in force for a while."""
        monkeypatch.setattr(snapshot, "CHANGES_KEPT", 0)
        known = faces.add(clustered(40))
        snapshot.compact(faces.face_set, faces.segments)

        with pytest.raises(ServiceError, match="1003"):
            faces.gallery.search(known[0].embedding, Terms(1.0, 10))
        faces.changes.apply()
        assert "must be rebuilt" in caplog.text

        faces.build()
        faces.expect(known[0], 1.0)
        faces.expect_equal()

    @pytest.mark.usefixtures("patient")
    def test_concurrent_searches_in_one_process(self, faces: VectorFaces) -> None:
        """Four threads change the set and check that they read their own writes; a fifth applies the changes."""
        faces.add(clustered(200))

        def visit(thread: int) -> int:
            for face in known_faces(unit_vectors(6, seed=100 + thread) * np.float32(3)):
                faces.face_set.add(face)
                assert _tokens(faces, face) == [face.token]
                faces.face_set.remove(face.token)
                assert _tokens(faces, face) == []
            return 6

        def apply() -> int:
            for _ in range(15):
                faces.changes.apply()
            return 0

        with ThreadPoolExecutor(5) as pool:
            applying = pool.submit(apply)
            assert sum(pool.map(visit, range(4))) == 24
            assert applying.result() == 0


class TestIndex:
    def test_an_index_replaced_during_a_search_is_not_queried_again(self, faces: VectorFaces) -> None:
        known = faces.add(clustered(60))
        faces.changes.apply()

        class Replaced(VectorStore):
            replaced = False

            def nearest(
                self, index: str, probe: Embedding, most: int, set_id: int
            ) -> Iterator[list[tuple[int, float]]]:
                if not Replaced.replaced:
                    Replaced.replaced = True
                    faces.build()
                yield from super().nearest(index, probe, most, set_id)

        gallery = faces.new_gallery(Replaced(faces.client, faces.bucket, 0.0))

        expected = brute_force(faces.face_set, MODEL, known[0].embedding, 0.8, 10)
        assert gallery.search(known[0].embedding, Terms(0.8, 10)) == expected
        assert Replaced.replaced

    def test_a_deleted_index_is_an_error_until_it_is_rebuilt(self, faces: VectorFaces) -> None:
        known = faces.add(clustered(60))
        faces.store.delete_index(faces.used.name)

        with pytest.raises(ServiceError) as failed:
            faces.gallery.search(known[0].embedding, Terms(1.0, 10))

        assert failed.value.status == 503
        faces.build()
        faces.expect(known[0], 1.0)

    def test_more_matches_than_a_query_returns_are_truncated(
        self, faces: VectorFaces, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also if fewer matches were found than requested, and for searches for people."""
        for module in (vector_store, vector_gallery):
            monkeypatch.setattr(module, "MAX_RESULTS", 150)
        known = faces.add(clustered(400))
        faces.changes.apply()
        everybody = brute_force(faces.face_set, MODEL, known[0].embedding, 100.0, 10_000).matches

        found = faces.gallery.search(known[0].embedding, Terms(100.0, 1_000))
        people = faces.gallery.search(known[0].embedding, Terms(100.0, 1_000, by_person=True))

        assert found == SearchResult(everybody[:150], truncated=True)
        assert people.truncated
        assert len(people.matches) == 150
        near = everybody[100].distance
        assert faces.gallery.search(known[0].embedding, Terms(near, 1_000)) == SearchResult(
            everybody[:101], truncated=False
        )

    @pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
    @pytest.mark.parametrize("failure", list(Failure))
    def test_an_index_that_fails_is_a_temporary_fault(self, faces: VectorFaces, failure: Failure) -> None:
        known = faces.add(clustered(10))

        with emulation.failing(NthFails("QueryVectors", {1: Fault(failure)})), pytest.raises(ServiceError) as failed:
            faces.gallery.search(known[0].embedding, Terms(1.0, 10))

        assert (failed.value.code, failed.value.status, failed.value.retry_after) == ("1003", 503, 2)
        faces.expect(known[0], 1.0)

    def test_a_search_retries(self, faces: VectorFaces) -> None:
        known = faces.add(clustered(10))
        gallery = faces.new_gallery(faces.new_store(patience_seconds=20.0))
        throttled = Fault(Failure.THROTTLED, Moment.BEFORE)

        with emulation.failing(NthFails("QueryVectors", {1: throttled, 2: throttled, 3: Fault(Failure.CUT)})):
            found = gallery.search(known[0].embedding, Terms(1.0, 10))

        assert found == brute_force(faces.face_set, MODEL, known[0].embedding, 1.0, 10)

    def test_a_face_set_under_another_model_raises_an_error(self, faces: VectorFaces) -> None:
        faces.add(clustered(5))
        faces.gallery.search(unit_vectors(1)[0], Terms(1.0, 10))
        faces.database.write(lambda t: t.execute("UPDATE face_set_model SET embedding_id = 'other', switches = 1"))

        with pytest.raises(ModelChangedError):
            faces.gallery.search(unit_vectors(1)[0], Terms(1.0, 10))


@pytest.mark.parametrize("squared", [False, True])
def test_squared_and_plain_distances_of_the_service_both_work(
    faces: VectorFaces, squared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service's documentation does not say which it returns. Distances below and above 1 show the difference."""
    faces.add(known_faces(unit_vectors(400, seed=3) * np.float32(1.2)))
    known = faces.add(clustered(400))
    faces.changes.apply()
    exact = VectorStore.nearest

    def nearest(
        self: VectorStore, index: str, probe: Embedding, most: int, set_id: int
    ) -> Iterator[list[tuple[int, float]]]:
        for page in exact(self, index, probe, most, set_id):
            yield [(face_id, distance**2 if squared else distance) for face_id, distance in page]

    monkeypatch.setattr(VectorStore, "nearest", nearest)

    for threshold in (0.3, 0.9, 1.1, 1.7):
        for limit in (5, 10_000):
            faces.expect(known[0], threshold, limit)


def _tokens(faces: VectorFaces, face: KnownFace) -> list[str]:
    return [match.token for match in faces.gallery.search(face.embedding, Terms(0.0, 10)).matches]


def test_only_faces_of_the_set_are_proposed(faces: VectorFaces) -> None:
    known = clustered(60)
    for number, face in enumerate(known):
        set_id = 1 + number % 2
        faces.database.write(
            lambda t, set_id=set_id: t.insert(  # type: ignore[misc]
                "INSERT INTO face_set_name (id, name) VALUES (?, ?)", (set_id, f"set {set_id}")
            )
        )
        FaceSet(faces.database).add(KnownFace(face.token, face.name, face.embedding, MODEL, face.crop, set_id))
        if number == 30:
            faces.changes.apply()

    for set_id in (1, 2, 3):
        expected = brute_force(faces.face_set, MODEL, known[0].embedding, 100.0, 10_000, set_id=set_id)
        assert faces.gallery.search(known[0].embedding, Terms(100.0, 10_000, set_id=set_id)) == expected
    assert len(expected.matches) == 0
