"""A temporary face is available under its token until it expires, and not a second longer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from chalicelib.errors import ServiceError
from chalicelib.faces import TemporaryFace, new_token
from chalicelib.stores.aws import sdk
from chalicelib.stores.aws.tokens import MAX_ITEMS_PER_READ, MAX_SETBACKS, TokenStore
from tests.services import free_port

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TTL_SECONDS = 100


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.5

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(dynamodb: DynamoDBClient, tokens_table: str, clock: Clock) -> TokenStore:
    return TokenStore(dynamodb, tokens_table, TTL_SECONDS, clock)


def a_face(tokens: TokenStore, seed: int = 0) -> TemporaryFace:
    embedding = np.random.default_rng(seed).standard_normal(512).astype(np.float32)
    poor_because = ("the face is blurred", "the face is too dark")[: seed % 3]
    return TemporaryFace(new_token(), embedding, "model-512-none-1", f"{seed}.jpg", tokens.expiry(), poor_because)


class Busy:
    """DynamoDB's client, but leaves the last half of each of the first `refusals` batches unprocessed.

    moto neither throttles nor limits written batches to 25 items.
    """

    def __init__(self, client: DynamoDBClient, refusals: int) -> None:
        self._client = client
        self._refusals = refusals
        self.sizes: list[int] = []

    def batch_write_item(self, **request: Any) -> dict[str, Any]:
        ((table, items),) = request["RequestItems"].items()
        self.sizes.append(len(items))
        taken = items
        if self._refusals > 0:
            self._refusals -= 1
            taken = items[: len(items) // 2]
        if taken:
            self._client.batch_write_item(RequestItems={table: taken})
        refused = items[len(taken) :]
        return {"UnprocessedItems": {table: refused} if refused else {}}

    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        ((table, wanted),) = request["RequestItems"].items()
        assert wanted["ConsistentRead"] is True  # moto answers every read with the newest item
        keys = wanted["Keys"]
        self.sizes.append(len(keys))
        taken = keys
        if self._refusals > 0:
            self._refusals -= 1
            taken = keys[: len(keys) // 2]
        read = cast(Any, self._client).batch_get_item(RequestItems={table: {**wanted, "Keys": taken}}) if taken else {}
        refused = keys[len(taken) :]
        return {
            "Responses": read.get("Responses", {}),
            "UnprocessedKeys": {table: {**wanted, "Keys": refused}} if refused else {},
        }


def test_a_face_is_read_consistently() -> None:
    """moto answers every read with the newest item; DynamoDB does so only on request."""
    requests: list[dict[str, Any]] = []

    class Client:
        def get_item(self, **request: Any) -> dict[str, Any]:
            requests.append(request)
            return {"ConsumedCapacity": {}}

    assert TokenStore(cast(Any, Client()), "tokens", TTL_SECONDS).get(new_token()) is None
    assert requests[0]["ConsistentRead"] is True


def test_a_face_is_returned_as_saved(tokens: TokenStore) -> None:
    face = a_face(tokens)

    tokens.save([face])

    kept = tokens.get(face.token)
    assert kept is not None
    assert (kept.token, kept.embedding_id, kept.crop) == (face.token, face.embedding_id, face.crop)
    assert kept.expires_at == 1_000_000 + TTL_SECONDS
    assert kept.embedding.dtype == np.float32
    np.testing.assert_array_equal(kept.embedding, face.embedding)


def test_more_faces_than_fit_one_request_are_all_saved(
    dynamodb: DynamoDBClient, tokens_table: str, tokens: TokenStore
) -> None:
    client = Busy(dynamodb, refusals=0)
    faces = [a_face(tokens, seed) for seed in range(60)]

    TokenStore(cast("DynamoDBClient", client), tokens_table, TTL_SECONDS).save(faces)

    assert client.sizes == [25, 25, 10]
    for face in faces:
        kept = tokens.get(face.token)
        assert kept is not None
        np.testing.assert_array_equal(kept.embedding, face.embedding)


def test_many_faces_are_read_with_few_requests(
    dynamodb: DynamoDBClient, tokens_table: str, tokens: TokenStore, clock: Clock
) -> None:
    faces = [a_face(tokens, seed) for seed in range(2 * MAX_ITEMS_PER_READ + 30)]
    tokens.save(faces)
    client = Busy(dynamodb, refusals=0)
    store = TokenStore(cast("DynamoDBClient", client), tokens_table, TTL_SECONDS, clock)

    found = store.get_many([*(face.token for face in faces), new_token()])

    assert client.sizes == [MAX_ITEMS_PER_READ, MAX_ITEMS_PER_READ, 31]
    assert found.keys() == {face.token for face in faces}
    for face in faces:
        np.testing.assert_array_equal(found[face.token].embedding, face.embedding)
        assert found[face.token]._replace(embedding=face.embedding) == face


def test_no_tokens_are_read_without_a_request(tokens_table: str) -> None:
    assert TokenStore(cast("DynamoDBClient", None), tokens_table, TTL_SECONDS).get_many([]) == {}


def test_of_many_faces_the_expired_ones_are_left_out(tokens: TokenStore, clock: Clock) -> None:
    early = a_face(tokens)
    tokens.save([early])
    clock.now += 10
    late = a_face(tokens)
    tokens.save([late])

    clock.now = early.expires_at

    assert tokens.get_many([early.token, late.token]).keys() == {late.token}


def test_tokens_left_unread_by_a_busy_server_are_read_again(
    dynamodb: DynamoDBClient, tokens_table: str, tokens: TokenStore, clock: Clock
) -> None:
    faces = [a_face(tokens, seed) for seed in range(150)]
    tokens.save(faces)
    slept: list[float] = []
    client = cast("DynamoDBClient", Busy(dynamodb, MAX_SETBACKS))

    found = TokenStore(client, tokens_table, TTL_SECONDS, clock, slept.append).get_many([face.token for face in faces])

    assert found.keys() == {face.token for face in faces}
    assert len(slept) == MAX_SETBACKS


def test_saving_no_faces_sends_no_request(tokens_table: str, dynamodb: DynamoDBClient) -> None:
    TokenStore(cast("DynamoDBClient", None), tokens_table, TTL_SECONDS).save([])

    assert dynamodb.scan(TableName=tokens_table)["Count"] == 0


def test_tokens_that_differ_only_in_case_are_different(tokens: TokenStore) -> None:
    tokens.save([TemporaryFace("A" * 24, np.ones(4, np.float32), "m", "upper.jpg", tokens.expiry())])

    assert tokens.get("A" * 24) is not None
    assert tokens.get("a" * 24) is None


def test_a_face_expires_even_if_dynamodb_has_not_deleted_it(
    tokens: TokenStore, clock: Clock, dynamodb: DynamoDBClient, tokens_table: str
) -> None:
    face = a_face(tokens)
    tokens.save([face])

    clock.now = face.expires_at - 0.1
    assert tokens.get(face.token) is not None
    clock.now = face.expires_at
    assert tokens.get(face.token) is None
    assert dynamodb.scan(TableName=tokens_table)["Count"] == 1


def test_a_deleted_face_is_gone_and_deleting_it_again_succeeds(tokens: TokenStore) -> None:
    face, other = a_face(tokens), a_face(tokens)
    tokens.save([face, other])

    tokens.delete(face.token)
    tokens.delete(face.token)

    assert tokens.get(face.token) is None
    assert tokens.get(other.token) is not None


def test_items_refused_by_a_busy_server_are_sent_again(
    dynamodb: DynamoDBClient, tokens_table: str, tokens: TokenStore
) -> None:
    client = cast("DynamoDBClient", Busy(dynamodb, MAX_SETBACKS))
    slept: list[float] = []
    faces = [a_face(tokens, seed) for seed in range(60)]

    TokenStore(client, tokens_table, TTL_SECONDS, sleep=slept.append).save(faces)

    assert all(tokens.get(face.token) is not None for face in faces)
    assert len(slept) == MAX_SETBACKS


def test_a_server_that_stays_busy_is_503(dynamodb: DynamoDBClient, tokens_table: str, tokens: TokenStore) -> None:
    client = cast("DynamoDBClient", Busy(dynamodb, MAX_SETBACKS + 1))
    slept: list[float] = []
    store = TokenStore(client, tokens_table, TTL_SECONDS, sleep=slept.append)

    with pytest.raises(ServiceError) as raised:
        store.save([a_face(tokens)])
    assert raised.value.status == 503
    assert len(slept) == MAX_SETBACKS


def test_tokens_that_stay_unread_are_503(dynamodb: DynamoDBClient, tokens_table: str) -> None:
    client = cast("DynamoDBClient", Busy(dynamodb, MAX_SETBACKS + 1))
    slept: list[float] = []

    with pytest.raises(ServiceError) as raised:
        TokenStore(client, tokens_table, TTL_SECONDS, sleep=slept.append).get_many([new_token()])
    assert (raised.value.status, len(slept)) == (503, MAX_SETBACKS)


def assert_every_call_fails(store: TokenStore, status: int) -> None:
    calls: list[Callable[[], object]] = [
        lambda: store.save([a_face(store)]),
        lambda: store.get("T"),
        lambda: store.get_many(["T"]),
        lambda: store.delete("T"),
    ]
    for call in calls:
        with pytest.raises(ServiceError) as raised:
            call()
        assert raised.value.status == status


def test_a_missing_table_is_500(dynamodb: DynamoDBClient) -> None:
    assert_every_call_fails(TokenStore(dynamodb, "no-such-table", TTL_SECONDS), 500)


def test_an_unreachable_server_is_503(aws_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setattr(sdk, "MAX_ATTEMPTS", 1)
    assert_every_call_fails(TokenStore(sdk.client("dynamodb"), "tokens", TTL_SECONDS), 503)
