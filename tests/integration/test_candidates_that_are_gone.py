"""Removed faces that an index still proposes: those that are proposed in their places are the nearest ones."""

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
def test_what_the_index_has_behind_them_is_nearer_than_what_the_tail_has(
    database: Database, s3_vectors: S3VectorsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that the index proposes at first is gone, and the tail alone has as many faces as are wanted."""
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
    """Return embeddings so far from the origin, or a little farther."""
    vectors = np.zeros((count, DIMENSION), np.float32)
    vectors[:, 0] = distance + 0.001 * np.arange(count)
    return vectors
