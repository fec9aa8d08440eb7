"""Stores temporary faces in DynamoDB by token until they expire."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from chalicelib import deadline
from chalicelib.errors import StoreUnavailableError
from chalicelib.faces import TemporaryFace
from chalicelib.stores.aws.sdk import faults_translated
from chalicelib.stores.backoff import backoff_seconds
from chalicelib.stores.embedding_bytes import from_bytes, to_bytes

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, WriteRequestOutputTypeDef, WriteRequestTypeDef

# DynamoDB's limits.
MAX_ITEMS_PER_WRITE, MAX_ITEMS_PER_READ = 25, 100
MAX_SETBACKS = 6
FIRST_BACKOFF_SECONDS = 0.05
LONGEST_BACKOFF_SECONDS = 1.0

_log = logging.getLogger(__name__)


class TokenStore:
    """Temporary faces by token.

    Methods that use DynamoDB raise ServiceError: 503 when it cannot be reached or throttles, 500 when it refuses.

    Parameters
    ----------
    client
        A DynamoDB client.
    ttl_seconds
        The lifetime of a face in seconds.
    clock
        Returns the seconds since 1970.
    sleep
        Waits for the given number of seconds before a retry.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        ttl_seconds: int,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._table = table
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._sleep = sleep

    def expiry(self) -> int:
        """Return the expiry time of a face saved now, in seconds since 1970."""
        return int(self._clock()) + self._ttl_seconds

    def save(self, faces: Sequence[TemporaryFace]) -> None:
        """Save all faces. After a failure some may be saved; they expire."""
        pending: list[WriteRequestTypeDef | WriteRequestOutputTypeDef] = [_put_request(face) for face in faces]
        setbacks = 0
        while pending:
            batch, pending = pending[:MAX_ITEMS_PER_WRITE], pending[MAX_ITEMS_PER_WRITE:]
            with faults_translated():
                reply = self._client.batch_write_item(RequestItems={self._table: batch})
            # A reply without UnprocessedItems was cut off; the SDK parses it as an empty reply.
            unprocessed = reply["UnprocessedItems"].get(self._table, []) if "UnprocessedItems" in reply else batch
            if not unprocessed:
                continue
            pending += unprocessed
            setbacks += 1
            self._wait(setbacks, f"{len(pending)} of {len(faces)} items unwritten")

    def get(self, token: str) -> TemporaryFace | None:
        """Return the face, or None when it is missing or has expired: DynamoDB may delete it days late."""
        item = self._item(token)
        return None if item is None else self._unexpired(item)

    def get_many(self, tokens: Sequence[str]) -> dict[str, TemporaryFace]:
        """Return the faces of distinct tokens by token, without those that are missing or have expired."""
        found: dict[str, TemporaryFace] = {}
        pending = list(tokens)
        setbacks = 0
        while pending:
            batch, pending = pending[:MAX_ITEMS_PER_READ], pending[MAX_ITEMS_PER_READ:]
            with faults_translated():
                reply = self._client.batch_get_item(
                    RequestItems={
                        self._table: {"Keys": [{"face_token": {"S": token}} for token in batch], "ConsistentRead": True}
                    }
                )
            # A reply that was cut off has neither field; the SDK parses it as an empty reply.
            if "UnprocessedKeys" in reply and "Responses" in reply:
                faces = map(self._unexpired, reply["Responses"].get(self._table, []))
                found |= {face.token: face for face in faces if face is not None}
                left = reply["UnprocessedKeys"].get(self._table, {"Keys": []})["Keys"]
                batch = [key["face_token"]["S"] for key in left]
            if batch:
                pending += batch
                setbacks += 1
                self._wait(setbacks, f"{len(pending)} of {len(tokens)} items unread")
        return found

    def crop_of(self, token: str) -> str | None:
        """Return the name of a face's temporary crop, even if the face has expired but is not deleted yet."""
        item = self._item(token)
        return None if item is None else item["crop"]["S"]

    def delete(self, token: str) -> None:
        with faults_translated():
            self._client.delete_item(TableName=self._table, Key={"face_token": {"S": token}})

    def _wait(self, setbacks: int, left: str) -> None:
        """Wait before a batch is sent again; raise 503 after too many batches that were not done whole."""
        if setbacks > MAX_SETBACKS:
            _log.warning("DynamoDB left %s", left)
            raise StoreUnavailableError()
        deadline.store_failed()
        self._sleep(backoff_seconds(setbacks, first=FIRST_BACKOFF_SECONDS, longest=LONGEST_BACKOFF_SECONDS))

    def _unexpired(self, item: Mapping[str, AttributeValueTypeDef]) -> TemporaryFace | None:
        expires_at = int(item["expires_at"]["N"])
        if expires_at <= self._clock():
            return None
        return TemporaryFace(
            token=item["face_token"]["S"],
            embedding=from_bytes(item["embedding"]["B"]),
            embedding_id=item["embedding_id"]["S"],
            crop=item["crop"]["S"],
            expires_at=expires_at,
            poor_because=tuple(reason["S"] for reason in item.get("poor_because", {}).get("L", ())),
        )

    def _item(self, token: str) -> Mapping[str, AttributeValueTypeDef] | None:
        with faults_translated():
            reply = self._client.get_item(
                TableName=self._table,
                Key={"face_token": {"S": token}},
                ConsistentRead=True,
                ReturnConsumedCapacity="TOTAL",
            )
        # Every complete reply has ConsumedCapacity. The SDK parses a reply that was cut off as empty, which would
        # look like a missing face.
        if "ConsumedCapacity" not in reply:
            _log.warning("DynamoDB's reply was cut off")
            raise StoreUnavailableError()
        return reply.get("Item")


def _put_request(face: TemporaryFace) -> WriteRequestTypeDef:
    return {
        "PutRequest": {
            "Item": {
                "face_token": {"S": face.token},
                "embedding": {"B": to_bytes(face.embedding)},
                "embedding_id": {"S": face.embedding_id},
                "crop": {"S": face.crop},
                "expires_at": {"N": str(face.expires_at)},
                "poor_because": {"L": [{"S": reason} for reason in face.poor_because]},
            }
        }
    }
