"""A database is restored to an earlier state, but its vector index is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chalicelib.faces import Terms
from chalicelib.stores.database.connect import connect
from chalicelib.stores.face_set.active_model import ModelChangedError
from chalicelib.stores.face_set.schema import migrate
from tests.backups import Dump, can_dump
from tests.conftest import absent
from tests.embeddings import MODEL
from tests.integration.gallery_faces import clustered
from tests.integration.vector_faces import VectorFaces
from tests.services import mysql_database

if TYPE_CHECKING:
    from mypy_boto3_s3vectors import S3VectorsClient


@pytest.fixture
def url(mysql_server: int) -> Iterator[str]:
    if not can_dump():
        absent("mariadb and mariadb-dump are not both installed")
    with mysql_database(mysql_server) as name:
        yield f"mysql://root@127.0.0.1:{mysql_server}/{name}"


@pytest.mark.parametrize("rebuilt_since", [False, True])
def test_memory_answers_until_it_is_rebuilt(
    url: str, s3_vectors: S3VectorsClient, tmp_path: Path, *, rebuilt_since: bool
) -> None:
    database = connect(url)
    migrate(database)
    faces, dump = VectorFaces(database, s3_vectors), Dump(url, tmp_path)
    known = faces.add(clustered(60))
    faces.build()
    faces.expect(known[0], 1.0)
    dump.make()
    faces.face_set.remove_many([face.token for face in known[30:]])
    faces.add(clustered(20, seed=7))
    faces.changes.apply()
    if rebuilt_since:
        faces.build()
    faces.expect(known[0], 1.0)
    assert set(faces.indexed()).isdisjoint(range(31, 61))

    dump.put_back()

    with pytest.raises(ModelChangedError):  # the process then makes a new gallery
        faces.gallery.search(known[0].embedding, Terms(1.0, 100))
    faces.gallery = faces.new_gallery()
    # The index, if it still exists, belongs to another history, so memory answers.
    assert faces.indexes.used(MODEL) is None
    for probe in known[28:34]:
        faces.expect(probe, 1.0)
    faces.build()
    for probe in known[28:34]:
        faces.expect(probe, 1.0)
    faces.expect_equal()
    named = {row.name for row in faces.indexes.all()}
    assert named == {faces.used.name}
    database.close()
