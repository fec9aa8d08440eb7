"""If an index proposes removed faces, the faces that replace them in the result are the nearest ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from chalicelib.faces import Embedding
from chalicelib.gallery import vector_gallery
from chalicelib.stores.database.base import Database
from tests.embeddings import known_faces
from tests.integration.vector_faces import DIMENSION, VectorFaces

if TYPE_CHECKING:
    from mypy_boto3_s3vectors import S3VectorsClient


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_index_holds_nearer_faces_behind_removed_ones_than_the_tail(
    database: Database, s3_vectors: S3VectorsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All faces that the index proposes first are removed, and the tail alone has as many faces as the limit."""
    monkeypatch.setattr(vector_gallery, "TIES", 1)
    faces = VectorFaces(database, s3_vectors)
    faces.build()
    removed = faces.add(known_faces(at(0.1, 12)))
    faces.add(known_faces(at(0.5, 6)))
    faces.changes.apply()
    faces.face_set.remove_many([face.token for face in removed])
    faces.add(known_faces(at(0.9, 6)))
    [probe] = known_faces(at(0.0, 1))

    for limit in (1, 2, 3, 6, 8):
        faces.expect(probe, 1.0, limit)


def at(distance: float, count: int) -> Embedding:
    """Return embeddings at `distance` from the origin, or slightly farther."""
    vectors = np.zeros((count, DIMENSION), np.float32)
    vectors[:, 0] = distance + 0.001 * np.arange(count)
    return vectors
