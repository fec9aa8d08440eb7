"""Removing a face erases everything stored at its detection, whatever has happened to its token since."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn
from uuid import uuid4

import numpy as np
import pytest

from chalicelib import deadline
from chalicelib.errors import StoreUnavailableError
from chalicelib.faces import DEFAULT_SET_ID, KnownFace, TemporaryFace, new_token
from chalicelib.service.removal import Removal
from chalicelib.stores.aws.crops import Crop, CropStore, temporary_name
from chalicelib.stores.aws.tokens import TokenStore
from chalicelib.stores.database.base import Database
from chalicelib.stores.face_set.face_listing import FaceListing
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.stores.face_set.face_set_names import FaceSetNames
from chalicelib.stores.face_set.people import People

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

STATES = ("live", "expired", "deleted by DynamoDB")


class Stores:
    """A face set with the stores beside it."""

    def __init__(self, database: Database, dynamodb: DynamoDBClient, s3: S3Client, name: str) -> None:
        self.now = time.time()
        self.dynamodb, self.s3, self.name = dynamodb, s3, name
        self.face_set, self.names = FaceSet(database), FaceSetNames(database)
        self.tokens = TokenStore(dynamodb, name, 100, lambda: self.now)
        self.crops = CropStore(s3, name)
        self.removal = Removal(
            FaceListing(database), self.names, self.face_set, self.tokens, self.crops, People(database)
        )

    def added(self, crop_of: Callable[[str], str] = temporary_name, set_id: int = DEFAULT_SET_ID) -> str:
        """Detect a face, add it, and return its token."""
        token, embedding = new_token(), np.ones(4, np.float32)
        name = crop_of(token)
        self.crops.save_temporary([Crop(name, b"jpeg", None)])
        self.tokens.save([TemporaryFace(token, embedding, "m", name, self.tokens.expiry())])
        kept = self.crops.keep(name)
        assert kept is not None
        self.face_set.add(KnownFace(token, "Ada", embedding, "m", kept, set_id))
        return token

    def bring(self, token: str, state: str) -> None:
        if state == "expired":
            self.now += 101
        if state == "deleted by DynamoDB":
            self.dynamodb.delete_item(TableName=self.name, Key={"face_token": {"S": token}})

    def kept(self) -> list[str]:
        """Return the keys of all crops and items."""
        items = self.dynamodb.scan(TableName=self.name)["Items"]
        listed = self.s3.list_objects_v2(Bucket=self.name).get("Contents", [])
        return [*(item["face_token"]["S"] for item in items), *(crop["Key"] for crop in listed)]


@pytest.fixture
def stores(database: Database, dynamodb: DynamoDBClient, s3: S3Client, crops_bucket: str) -> Stores:
    return Stores(database, dynamodb, s3, crops_bucket)


@pytest.mark.parametrize("state", STATES)
def test_a_removed_face_leaves_nothing(stores: Stores, state: str) -> None:
    token = stores.added()
    stores.bring(token, state)

    stores.removal.remove(token)

    assert stores.kept() == []


def test_a_removal_that_the_database_refuses_keeps_the_crop(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> NoReturn:
        raise StoreUnavailableError

    token = stores.added()
    monkeypatch.setattr(stores.face_set, "remove", refuse)

    with pytest.raises(StoreUnavailableError):
        stores.removal.remove(token)

    assert [key.partition("/")[0] for key in stores.kept()] == ["faces"]


@pytest.mark.parametrize("state", STATES)
def test_a_removed_face_set_leaves_nothing(stores: Stores, state: str) -> None:
    stores.names.create("staff")
    for token in [stores.added(set_id=stores.names.id_of("staff")) for _ in range(3)]:
        stores.bring(token, state)

    assert stores.removal.remove_set("staff") == (3, True)

    assert stores.kept() == []


def test_a_face_sets_removal_keeps_the_requests_deadline_in_its_threads(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[float] = []
    stores.names.create("staff")
    stores.added(set_id=stores.names.id_of("staff"))
    monkeypatch.setattr(stores.tokens, "crop_of", lambda _: left.append(deadline.shortened(1_000)))
    monkeypatch.setattr(stores.crops, "delete_orphan", lambda _: left.append(deadline.shortened(1_000)))

    with deadline.within(60):
        stores.removal.remove_set("staff")

    assert len(left) == 2
    assert max(left) <= 60


@pytest.mark.parametrize("state", STATES[:2])
def test_a_face_from_before_crop_names_were_derived_from_tokens_is_erased_too(stores: Stores, state: str) -> None:
    """Once DynamoDB has deleted the token, S3 expires the temporary crop after at most three days."""
    token = stores.added(crop_of=lambda _: f"{uuid4()}.jpg")
    stores.bring(token, state)

    stores.removal.remove(token)

    assert stores.kept() == []


def test_a_crops_name_is_unique_and_does_not_reveal_its_token() -> None:
    token = new_token()

    assert temporary_name(token) == temporary_name(token)
    assert temporary_name(token) != temporary_name(new_token())
    assert token not in temporary_name(token)
