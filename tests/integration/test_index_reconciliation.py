"""Comparing a vector index with the face set's rows, repairing it, and measuring its recall."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from chalicelib.faces import Embedding
from chalicelib.gallery import index_reconciliation, vector_gallery
from chalicelib.stores.aws.vector_store import StoredVector, VectorStore
from chalicelib.stores.database.base import Database
from tests.embeddings import unit_vectors
from tests.integration.gallery_faces import clustered
from tests.integration.vector_faces import VectorFaces, ids

if TYPE_CHECKING:
    from mypy_boto3_s3vectors import S3VectorsClient


on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class TestReconciliation:
    def test_a_matching_index_is_reported_as_equal(self, faces: VectorFaces) -> None:
        faces.add(clustered(300))

        report = faces.reconcile()

        assert report.equal
        assert report.faces == 300

    def test_an_empty_face_set_is_equal_to_an_empty_index(self, faces: VectorFaces) -> None:
        assert faces.reconcile().equal
        assert faces.reconciliation().measure() is None

    def test_differences_are_repaired(self, faces: VectorFaces) -> None:
        known = faces.add(clustered(250))
        faces.changes.apply()
        name = faces.used.name
        faces.store.delete(name, ids(faces, known[:3]))
        [other, moved] = ids(faces, known[10:12])
        faces.store.put(name, [StoredVector(other, unit_vectors(1, seed=9)[0], 1)])
        faces.store.put(name, [StoredVector(moved, known[11].embedding, 7)])
        faces.store.put(name, [StoredVector(10**9 + i, unit_vectors(1)[0], 1) for i in range(4)])

        report = faces.reconcile()

        assert (report.missing, report.different, report.surplus) == (3, 2, 4)
        assert not report.equal
        faces.expect_equal()
        assert faces.reconcile().equal

    def test_changes_during_the_comparison_are_not_differences(
        self, faces: VectorFaces, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """After the rows are read, faces are added, removed and applied; then the index is read."""
        known = faces.add(clustered(200))
        faces.changes.apply()
        listed = VectorStore.listed

        def late(self: VectorStore, index: str, part: int, parts: int) -> Iterator[list[StoredVector]]:
            if part == 0:
                faces.face_set.remove_many([face.token for face in known[:20]])
                faces.add(clustered(30, seed=5))
                faces.changes.apply()
            yield from listed(self, index, part, parts)

        monkeypatch.setattr(VectorStore, "listed", late)

        assert faces.reconcile().equal

    def test_a_concurrent_writer_is_not_disturbed(self, faces: VectorFaces) -> None:
        known = faces.add(clustered(20))
        faces.changes.apply()
        faces.store.delete(faces.used.name, ids(faces, known[:1]))
        turn = faces.changes.claim(faces.used.name)
        assert turn is not None

        assert not faces.reconcile().complete

        turn.end()
        report = faces.reconcile()
        assert (report.complete, report.missing) == (True, 1)

    def test_too_many_differences_are_left_for_a_rebuild(
        self, faces: VectorFaces, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(index_reconciliation, "MAX_MENDED", 5)
        known = faces.add(clustered(20))
        faces.changes.apply()
        faces.store.delete(faces.used.name, ids(faces, known[:6]))

        with caplog.at_level(logging.ERROR):
            report = faces.reconcile()

        assert report.beyond == 6
        assert not report.equal
        assert "rebuild it" in caplog.text

    @on_sqlite
    def test_recall_is_the_share_of_neighbours_that_searches_find(
        self, faces: VectorFaces, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Uses an index that returns nine of ten vectors."""

        class Forgetful(VectorStore):
            def nearest(
                self, index: str, probe: Embedding, most: int, set_id: int
            ) -> Iterator[list[tuple[int, float]]]:
                for page in super().nearest(index, probe, most, set_id):
                    yield [vector for vector in page if vector[0] % 10]

        monkeypatch.setattr(index_reconciliation, "PROBES", 20)
        faces.add(clustered(500))
        faces.changes.apply()

        exact = faces.reconciliation().measure()
        assert exact is not None
        assert (exact.share, exact.probes) == (1.0, 20)
        assert faces.used.recall == exact

        forgetful = faces.reconciliation(Forgetful(faces.client, faces.bucket, 0.0)).measure()
        assert forgetful is not None
        assert 0.86 < forgetful.share < 0.94
        assert faces.used.recall == forgetful

    def test_recall_can_be_measured_on_some_of_the_rows(
        self, faces: VectorFaces, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("chalicelib.stores.face_set.model_change.IDS_PER_RANGE", 20)
        monkeypatch.setattr(index_reconciliation, "MAX_RANGES_MEASURED", 3)
        faces.add(clustered(500))
        faces.changes.apply()

        recall = faces.reconciliation().measure()

        assert recall is not None
        assert recall.share == 1.0

    @on_sqlite
    def test_neighbours_beyond_the_indexs_maximum_do_not_count_as_missed(
        self, faces: VectorFaces, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An exact index that returns at most 25 vectors, while hundreds are within the threshold."""
        monkeypatch.setattr(index_reconciliation, "MAX_RESULTS", 25)
        monkeypatch.setattr(vector_gallery, "MAX_RESULTS", 25)
        monkeypatch.setattr(index_reconciliation, "PROBES", 10)
        faces.add(clustered(500))
        faces.changes.apply()

        recall = faces.reconciliation().measure()

        assert recall is not None
        assert recall.share == 1.0

    @pytest.mark.parametrize("allowed", range(8))
    def test_data_not_read_in_time_do_not_count_as_differences(
        self, faces: VectorFaces, allowed: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Time runs out while reading the rows or the pages of the index. Rows and index are equal."""
        monkeypatch.setattr("chalicelib.stores.face_set.model_change.IDS_PER_RANGE", 40)
        monkeypatch.setattr(index_reconciliation, "MAX_MENDED", 5)
        faces.add(clustered(150))
        faces.changes.apply()
        left = itertools.count()

        report = faces.reconciliation(may_go_on=lambda: next(left) < allowed).run()

        assert report is not None
        assert (report.complete, report.beyond, report.missing, report.surplus) == (False, 0, 0, 0)
        assert "rebuild it" not in caplog.text

    def test_without_an_index_there_is_nothing_to_compare(
        self, database: Database, s3_vectors: S3VectorsClient
    ) -> None:
        faces = VectorFaces(database, s3_vectors)
        faces.add(clustered(5))

        assert faces.reconciliation().run() is None
        assert faces.reconciliation().measure() is None
