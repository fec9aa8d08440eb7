"""Races between a search's reading of the versions and its reading of the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chalicelib.faces import Terms
from chalicelib.gallery import snapshot
from chalicelib.stores.database.base import Database
from chalicelib.stores.face_set.vector_indexes import Look, VectorIndexes
from tests.integration.gallery_faces import clustered
from tests.integration.vector_faces import VectorFaces

if TYPE_CHECKING:
    from mypy_boto3_s3vectors import S3VectorsClient


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_log_applied_and_pruned_meanwhile_is_read_again(
    database: Database, s3_vectors: S3VectorsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "CHANGES_KEPT", 0)
    faces = VectorFaces(database, s3_vectors)
    faces.build()
    known = faces.add(clustered(20))
    look = VectorIndexes.look

    def look_and_lose_time(indexes: VectorIndexes, embedding_id: str) -> Look:
        seen = look(indexes, embedding_id)
        faces.changes.apply()
        faces.compact()
        return seen

    monkeypatch.setattr(VectorIndexes, "look", look_and_lose_time)

    found = faces.new_gallery().search(known[3].embedding, Terms(0.0, 10))

    assert [match.token for match in found.matches] == [known[3].token]
