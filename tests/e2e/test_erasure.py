"""After a face is removed, none of its bytes remain in rows, files, tokens, pictures or the gallery."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import numpy as np
import pytest

from chalicelib.gallery import snapshot
from chalicelib.stores.aws.segment_objects import SegmentObjects
from chalicelib.stores.database.base import Database
from chalicelib.stores.database.connect import connect
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.stores.face_set.segments import SegmentStore
from tests.e2e import pictures
from tests.e2e.http_api import HttpApi
from tests.e2e.local_stack import LocalStack
from tests.harness.faults.traces import Bytes, in_database, in_dynamodb, in_files, in_s3

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

NAME, BUCKET = "face-search-tokens", "face-search-crops"
# The possible states of a token when its added face is removed.
TOKEN_STATES = ("live", "expired", "deleted by DynamoDB")
in_every_state = pytest.mark.parametrize("state", TOKEN_STATES)


@dataclass
class Stack:
    """A running stack and its stores."""

    stack: LocalStack
    api: HttpApi
    database: Database
    dynamodb: DynamoDBClient
    s3: S3Client

    def compact(self) -> None:
        objects = SegmentObjects(lambda: self.s3, BUCKET)
        snapshot.compact(FaceSet(self.database), SegmentStore(self.database, objects, in_objects=self.in_s3))

    @property
    def in_s3(self) -> bool:
        """Whether the stack's compaction packs segments into S3, as the MySQL stack's does."""
        return self.database.dialect == "mysql"

    def bytes_of(self, token: str) -> Bytes:
        [(embedding,)] = self.database.read(
            "SELECT vector.embedding FROM face_set_embedding AS vector "
            "JOIN face_set AS face ON face.id = vector.face_id WHERE face.face_token = ?",
            (token,),
        )
        [(crop,)] = self.database.read("SELECT crop FROM face_set WHERE face_token = ?", (token,))
        return Bytes.of(embedding, self.s3.get_object(Bucket=BUCKET, Key=f"faces/{crop}")["Body"].read())

    def bring(self, token: str, state: str) -> None:
        """Bring a token into one of TOKEN_STATES."""
        key: Any = {"face_token": {"S": token}}
        if state == "expired":
            self.dynamodb.update_item(
                TableName=NAME,
                Key=key,
                UpdateExpression="SET expires_at = :past",
                ExpressionAttributeValues={":past": {"N": "1"}},
            )
        if state == "deleted by DynamoDB":
            self.dynamodb.delete_item(TableName=NAME, Key=key)

    def traces(self, sought: Bytes) -> set[str]:
        return {
            *in_database(sought, self.database),
            *in_files(sought, self.stack.state, "face_set.sqlite*"),
            *in_dynamodb(sought, self.dynamodb, NAME),
            *in_s3(sought, self.s3, BUCKET),
        }


@pytest.fixture(params=["sqlite", "mysql"])
def kept(request: pytest.FixtureRequest) -> Iterator[Stack]:
    stack: LocalStack = request.getfixturevalue(f"{request.param}_stack")
    api: HttpApi = request.getfixturevalue(f"{request.param}_api")
    running = json.loads((stack.state / "stack.json").read_text())
    database = connect(running["database"])
    session = boto3.Session("local", "local", region_name="us-east-1")
    dynamodb = session.client("dynamodb", endpoint_url=running["endpoint"])
    yield Stack(stack, api, database, dynamodb, session.client("s3", endpoint_url=running["endpoint"]))
    database.close()


def picture(seed: int) -> bytes:
    """Return a photograph with unique bytes."""
    random = np.random.default_rng(seed)
    changed = pictures.astronaut_pixels() * random.uniform(0.7, 1.1, 3) + random.normal(0, 6, (512, 512, 3))
    return pictures.jpeg(np.clip(changed, 0, 255).astype(np.uint8))


@in_every_state
def test_nothing_is_left_of_a_removed_face(kept: Stack, state: str) -> None:
    stays = kept.api.added(picture(1), "Ada")
    token = kept.api.added(picture(2), "Grace")
    kept.compact()
    sought = kept.bytes_of(token)
    packed = {"code in S3"} if kept.in_s3 else {"code in the table face_set_segment"}
    whole = {"embedding in the table face_set_embedding", "embedding in DynamoDB", "crop in S3"}
    assert kept.traces(sought) >= whole | packed
    kept.bring(token, state)
    # The token still works for a search and for another addition.
    assert kept.api.get("/search", face_token=token, threshold="0.65").status == 200
    assert kept.api.get("/addface", face_token=token, face_name="Grace").status == 200

    kept.api.remove(token)
    assert kept.traces(sought) <= packed | {"code in the file face_set.sqlite"}
    kept.compact()

    assert kept.traces(sought) == set()
    assert kept.traces(kept.bytes_of(stays)) != set()


@in_every_state
def test_nothing_is_left_of_a_face_set(kept: Stack, state: str) -> None:
    kept.api.send("POST", "/face_sets", [("face_set", "staff")])
    tokens = [kept.api.added(picture(seed), "Ada", face_set="staff") for seed in (3, 4)]
    sought = [kept.bytes_of(token) for token in tokens]
    kept.compact()
    for token in tokens:
        kept.bring(token, state)

    assert kept.api.send("DELETE", "/face_sets/staff").body["done"]
    kept.compact()

    assert [kept.traces(each) for each in sought] == [set(), set()]
