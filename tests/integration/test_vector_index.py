"""Applying changes to vector indexes: in order, repeatable, by one writer, and safe under any failure."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import pytest

from chalicelib import vector_wiring
from chalicelib.errors import ServiceError, StoreUnavailableError
from chalicelib.gallery import index_changes, snapshot
from chalicelib.gallery.index_changes import IndexChanges
from chalicelib.maintenance import operations
from chalicelib.settings import Settings
from chalicelib.stores.database.base import Database
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.stores.face_set.vector_indexes import LEASE_SECONDS, IndexState, VectorIndexes
from chalicelib.vector_wiring import VectorWiring
from chalicelib.wiring import Wiring
from infra.s3_vectors.emulation import emulation
from infra.s3_vectors.faults import ALL_FAULTS, Failure, Fault, NthFails, ShareFails
from tests.embeddings import MODEL, known_faces
from tests.integration.gallery_faces import clustered
from tests.integration.vector_faces import DIMENSION, VectorFaces

if TYPE_CHECKING:
    from mypy_boto3_s3vectors import S3VectorsClient


@pytest.fixture
def _at_once_however_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time limit includes creating the client, which takes seconds on a busy machine."""
    monkeypatch.setattr(vector_wiring, "MAX_SECONDS_AT_ONCE", 100.0)


on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def calls(before: int) -> Callable[[], bool]:
    """Return a function that returns True `before` times, then False."""
    counter = itertools.count()
    return lambda: next(counter) < before


class TestApplying:
    def test_the_index_equals_the_rows(self, faces: VectorFaces) -> None:
        known = faces.add(clustered(1_000))
        faces.face_set.remove_many([face.token for face in known[::3]])

        faces.changes.apply()

        faces.expect_equal()
        assert faces.changes.behind() == 0

    @on_sqlite
    @pytest.mark.usefixtures("_at_once_however_long")
    def test_the_wiring_sends_its_own_changes_to_the_index(self, faces: VectorFaces, database_url: str) -> None:
        environment = {"DATABASE_URL": database_url, "GALLERY": "s3vectors", "VECTOR_BUCKET": faces.bucket}

        Wiring(Settings.from_environment(environment)).face_set.add_many(clustered(5))

        assert faces.changes.behind() == 0
        faces.expect_equal()

    @pytest.mark.usefixtures("_at_once_however_long")
    def test_a_process_applies_its_own_changes_at_once(self, faces: VectorFaces) -> None:
        wiring = VectorWiring(faces.database, faces.bucket)
        face_set = FaceSet(faces.database, changed=wiring.try_at_once)
        known = clustered(5)

        face_set.add_many(known[:4])
        face_set.add(known[4])
        faces.expect_equal()
        face_set.remove(known[0].token)
        faces.expect_equal()
        assert faces.changes.behind() == 0

    @on_sqlite
    @pytest.mark.usefixtures("_at_once_however_long")
    @pytest.mark.parametrize("failure", list(Failure))
    def test_changes_that_cannot_be_applied_at_once_are_left(
        self, faces: VectorFaces, failure: Failure, caplog: pytest.LogCaptureFixture
    ) -> None:
        face_set = FaceSet(faces.database, changed=VectorWiring(faces.database, faces.bucket).try_at_once)

        with emulation.failing(NthFails("PutVectors", {1: Fault(failure)})):
            assert face_set.add(clustered(1)[0])

        assert "left for the scheduled function" in caplog.text
        assert faces.changes.behind() == 1
        faces.changes.apply()
        faces.expect_equal()

    @on_sqlite
    @pytest.mark.parametrize("fault", ALL_FAULTS)
    def test_a_failure_at_any_request_loses_nothing(
        self, faces: VectorFaces, fault: Fault, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(index_changes, "CHANGES_PER_STEP", 10)
        known = faces.add(clustered(30))
        faces.face_set.remove_many([face.token for face in known[:5]])

        for operation, number in (("PutVectors", 2), ("DeleteVectors", 1)):
            faults = NthFails(operation, {number: fault})
            with emulation.failing(faults), pytest.raises(ServiceError) as failed:
                faces.changes.apply()
            assert failed.value.status == 503
            # Before the next try, remove faces whose vectors may have been written without confirmation.
            faces.face_set.remove_many([face.token for face in known[10:20:3]])
        faces.changes.apply()

        faces.expect_equal()

    def test_applying_retries_while_there_is_time(self, faces: VectorFaces) -> None:
        faces.add(clustered(300))
        changes = IndexChanges(faces.face_set, faces.indexes, faces.new_store(patience_seconds=60.0))

        with emulation.failing(ShareFails(0.3, seed=1)):
            changes.apply()

        faces.expect_equal()

    def test_an_index_has_one_writer_at_a_time(self, faces: VectorFaces) -> None:
        faces.add(clustered(10))
        turn = faces.changes.claim(faces.used.name)
        assert turn is not None

        faces.changes.apply()

        assert faces.indexed() == {}
        assert turn.step() is True
        assert turn.step() is False
        turn.end()
        faces.expect_equal()

    def test_a_silent_writer_loses_its_turn(self, faces: VectorFaces) -> None:
        """Afterwards the silent writer records nothing more, whatever it requested from the service meanwhile."""
        faces.add(clustered(10))
        now = [time.time()]
        indexes = VectorIndexes(faces.database, clock=lambda: now[0])
        slow = IndexChanges(faces.face_set, indexes, faces.store).claim(faces.used.name)
        assert slow is not None
        assert indexes.claim(faces.used.name) is None
        now[0] += LEASE_SECONDS + 1

        other = IndexChanges(faces.face_set, indexes, faces.store).claim(faces.used.name)
        assert other is not None
        assert other.step() is True

        version = faces.used.version
        assert slow.step() is None
        slow.end()
        assert indexes.claim(faces.used.name) is None
        assert faces.used.version == version

    @pytest.mark.parametrize("ahead", [5 * 365 * 86_400, 3 * LEASE_SECONDS])
    def test_a_lease_that_no_correct_clock_can_have_set_is_ignored(self, faces: VectorFaces, ahead: int) -> None:
        faces.add(clustered(10))
        wrong = VectorIndexes(faces.database, clock=lambda: time.time() + ahead)
        killed = wrong.claim(faces.used.name)
        assert killed is not None

        faces.changes.apply()

        faces.expect_equal()
        assert wrong.advance(killed, version=1) is None

    @pytest.mark.parametrize("ahead", [-LEASE_SECONDS // 2, 0, LEASE_SECONDS // 2])
    def test_clocks_that_differ_slightly_keep_the_lease(self, faces: VectorFaces, ahead: int) -> None:
        other = VectorIndexes(faces.database, clock=lambda: time.time() + ahead)
        assert other.claim(faces.used.name) is not None

        assert faces.indexes.claim(faces.used.name) is None

    def test_an_old_lease_is_renewed_before_anything_is_sent(self, faces: VectorFaces) -> None:
        faces.add(clustered(10))
        clock = [0.0]
        now = [time.time()]
        indexes = VectorIndexes(faces.database, clock=lambda: now[0])
        changes = IndexChanges(faces.face_set, indexes, faces.store, clock=lambda: clock[0])
        slow = changes.claim(faces.used.name)
        assert slow is not None
        now[0] += LEASE_SECONDS + 1
        clock[0] += LEASE_SECONDS + 1
        assert changes.claim(faces.used.name) is not None

        assert slow.step() is None

        assert faces.indexed() == {}

    def test_removed_faces_are_removed_from_indexes_of_other_models(self, faces: VectorFaces) -> None:
        """These indexes are kept until their models' vectors are discarded, and then deleted."""
        known = faces.add(clustered(10))
        faces.changes.apply()
        name = faces.used.name
        faces.database.write(lambda t: t.execute("UPDATE face_set_model SET embedding_id = 'other-128-0'"))
        faces.face_set.remove(known[0].token)

        faces.changes.apply()
        held = [vector.face_id for page in faces.store.listed(name, 0, 1) for vector in page]
        assert len(held) == 9

        faces.indexes.retire_others("other-128-0")
        faces.changes.delete_retired()
        assert faces.indexes.all() == []
        assert faces.client.list_indexes(vectorBucketName=faces.bucket)["indexes"] == []


class TestRebuilding:
    def test_the_new_index_replaces_the_old_one(self, faces: VectorFaces) -> None:
        faces.add(clustered(100))
        old = faces.used.name

        faces.build()

        assert faces.used.name != old
        faces.expect_equal()
        assert [row.name for row in faces.indexes.all()] == [faces.used.name]
        indexes = faces.client.list_indexes(vectorBucketName=faces.bucket)["indexes"]
        assert [index["indexName"] for index in indexes] == [faces.used.name]

    def test_a_rebuild_interrupted_anywhere_continues(
        self, faces: VectorFaces, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("chalicelib.stores.face_set.model_change.IDS_PER_RANGE", 40)
        known = faces.add(clustered(150))
        old = faces.used.name
        runs = 0
        for number in itertools.count():
            runs += 1
            rebuilt = faces.rebuild.run(MODEL, DIMENSION, calls(1 + number % 2))
            # The old index is queried and kept up to date all the time.
            faces.face_set.remove(known[number].token)
            faces.add(clustered(1, seed=100 + number))
            faces.changes.apply()
            faces.expect(known[-1], 0.8)
            if rebuilt.used:
                break

        assert runs > 3
        assert faces.used.name != old
        faces.expect_equal()

    @on_sqlite
    @pytest.mark.parametrize("fault", ALL_FAULTS)
    def test_a_failure_anywhere_costs_only_that_run(
        self, faces: VectorFaces, fault: Fault, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("chalicelib.stores.face_set.model_change.IDS_PER_RANGE", 40)
        faces.add(clustered(100))
        for operation, number in (("CreateIndex", 1), ("PutVectors", 2), ("DeleteIndex", 1)):
            with emulation.failing(NthFails(operation, {number: fault})), pytest.raises(ServiceError):
                faces.rebuild.run(MODEL, DIMENSION)

        faces.build()

        faces.expect_equal()
        assert len(faces.client.list_indexes(vectorBucketName=faces.bucket)["indexes"]) == 1

    def test_only_one_rebuild_runs_at_a_time(self, faces: VectorFaces) -> None:
        faces.add(clustered(10))
        name = faces.indexes.begin(MODEL, DIMENSION)
        turn = faces.changes.claim(name)
        assert turn is not None

        assert not faces.rebuild.run(MODEL, DIMENSION).used

        turn.end()
        assert faces.rebuild.run(MODEL, DIMENSION).used

    def test_an_index_deleted_while_it_is_filled_is_started_again(
        self, faces: VectorFaces, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("chalicelib.stores.face_set.model_change.IDS_PER_RANGE", 40)
        faces.add(clustered(100))
        faces.rebuild.run(MODEL, DIMENSION, calls(1))
        [filling] = [row for row in faces.indexes.all() if row.state is IndexState.FILLING]
        assert filling.next_id == 40
        faces.store.delete_index(filling.name)

        assert not faces.rebuild.run(MODEL, DIMENSION).used
        faces.build()

        faces.expect_equal()


def test_vectors_are_as_precise_as_the_rows(faces: VectorFaces) -> None:
    """The service receives numbers in decimal notation and stores float32."""
    odd = np.array([np.nextafter(np.float32(0.1), np.float32(1)), 1e-30, -3.4e38, 2**-149], np.float32)
    vectors = np.tile(odd, (2, 32)).astype(np.float32)
    faces.add(known_faces(vectors))

    faces.changes.apply()

    faces.expect_equal()


def test_a_missing_bucket_is_named(
    database: Database, s3_vectors: S3VectorsClient, caplog: pytest.LogCaptureFixture
) -> None:
    faces = VectorFaces(database, s3_vectors)
    s3_vectors.delete_vector_bucket(vectorBucketName=faces.bucket)

    with pytest.raises(ServiceError) as failed:
        faces.rebuild.run(MODEL, DIMENSION)

    assert failed.value.status == 500
    assert f"there is no vector bucket {faces.bucket}" in caplog.text


def test_indexes_are_retired_when_memory_replaces_them(faces: VectorFaces, database_url: str) -> None:
    """Otherwise a return to the indexes would query one that lacks all changes made meanwhile."""
    faces.add(clustered(5))
    settings = Settings.from_environment({"DATABASE_URL": database_url, "GALLERY": "memory"})

    operations.migrate(Wiring(settings))

    assert [row.state for row in faces.indexes.all()] == [IndexState.RETIRED]
    faces.expect(clustered(1)[0], 1.0)
    faces.changes.delete_retired()
    assert faces.client.list_indexes(vectorBucketName=faces.bucket)["indexes"] == []


@on_sqlite
def test_a_compaction_keeps_the_changes_that_the_index_lacks(
    faces: VectorFaces, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> NoReturn:
        raise StoreUnavailableError

    monkeypatch.setattr(snapshot, "CHANGES_KEPT", 0)
    monkeypatch.setattr(operations, "_active", lambda _: SimpleNamespace(embedding_id=MODEL))
    faces.add(clustered(5))
    environment = {"DATABASE_URL": database_url, "GALLERY": "s3vectors", "VECTOR_BUCKET": faces.bucket}
    with monkeypatch.context() as patch:
        patch.setattr(IndexChanges, "apply", fail)
        operations.compact(Wiring(Settings.from_environment(environment)))

    faces.changes.apply()

    faces.expect_equal()


def test_an_index_that_is_behind_does_not_replace_the_one_in_use(database: Database) -> None:
    indexes, face_set = VectorIndexes(database), FaceSet(database)
    first = indexes.claim(indexes.begin(MODEL, DIMENSION))
    assert first is not None
    assert indexes.use(first)
    behind = indexes.claim(indexes.begin(MODEL, DIMENSION))
    assert behind is not None
    face_set.add_many(clustered(1))
    current = indexes.claim(first.name)
    assert current is not None
    assert indexes.advance(current, version=1)

    assert not indexes.use(behind)

    used = indexes.used(MODEL)
    assert used is not None
    assert used.name == first.name
