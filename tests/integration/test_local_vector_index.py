"""On start, a local stack fills S3 Vectors with its face set, although moto starts empty."""

from __future__ import annotations

import secrets

import pytest

from chalicelib.settings import Settings
from chalicelib.stores.aws import sdk
from chalicelib.stores.database.base import Database
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.stores.face_set.vector_indexes import VectorIndexes
from infra.local import vector_index
from tests.embeddings import known_faces, unit_vectors
from tests.packs import dlib_pack


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_start_fills_a_new_index(database: Database, database_url: str, aws_endpoint: str) -> None:
    pack = dlib_pack()
    settings = Settings.from_environment(
        {
            "MODEL_DIR": str(pack.folder),
            "DATABASE_URL": database_url,
            "GALLERY": "s3vectors",
            "VECTOR_BUCKET": f"vectors-{secrets.token_hex(8)}",
        }
    )
    bucket = settings.vector_bucket
    client = sdk.client("s3vectors")
    vectors = unit_vectors(7)

    # The second start finds the name of an index that was lost with the previous moto.
    for start, faces in enumerate((vectors[:4], vectors[4:])):
        FaceSet(database).add_many(known_faces(faces, model=pack.embedding_id))
        vector_index.make(settings)

        [index] = client.list_indexes(vectorBucketName=bucket)["indexes"]
        listed = client.list_vectors(vectorBucketName=bucket, indexName=index["indexName"], returnData=True)["vectors"]
        assert sorted(vector["data"]["float32"] for vector in listed) == sorted(vectors[: 4 + 3 * start].tolist())
        [row] = VectorIndexes(database).all()
        assert (row.name, row.state, row.embedding_id) == (index["indexName"], "used", pack.embedding_id)
        client.delete_index(vectorBucketName=bucket, indexName=index["indexName"])
