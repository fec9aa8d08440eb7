"""Remembers which token was chosen for a piece of work, so that a repetition of the work uses the same token.

The rows are in the table of temporary faces, under keys that are no tokens. They contain neither names nor embeddings.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from chalicelib.errors import StoreUnavailableError
from chalicelib.stores.aws.sdk import faults_translated

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Longer than a picture may wait: 30 days until it is deleted, and 14 days in each of two queues.
KEPT_SECONDS = 60 * 86_400

_log = logging.getLogger(__name__)


class ChosenTokens:
    """Tokens by the key of the work. Every method raises ServiceError: 503 when DynamoDB fails, 500 when it refuses.

    Parameters
    ----------
    client
        A DynamoDB client.
    clock
        Returns the seconds since 1970.
    """

    def __init__(self, client: DynamoDBClient, table: str, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._table = table
        self._clock = clock

    def of(self, work: str) -> str | None:
        """Return the token chosen for the work, or None."""
        with faults_translated():
            reply = self._client.get_item(
                TableName=self._table,
                Key={"face_token": {"S": work}},
                ConsistentRead=True,
                ReturnConsumedCapacity="TOTAL",
            )
        # Every complete reply has ConsumedCapacity; the SDK parses a reply that was cut off as empty.
        if "ConsumedCapacity" not in reply:
            _log.warning("DynamoDB's reply was cut off")
            raise StoreUnavailableError()
        item = reply.get("Item")
        return None if item is None else item["chosen"]["S"]

    def choose(self, work: str, token: str) -> str:
        """Choose a token for the work unless one is chosen already; return the chosen one."""
        with faults_translated():
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item={
                        "face_token": {"S": work},
                        "chosen": {"S": token},
                        "expires_at": {"N": str(int(self._clock()) + KEPT_SECONDS)},
                    },
                    ConditionExpression="attribute_not_exists(face_token)",
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                pass  # chosen by another run, or by an attempt of this one that got no reply
            else:
                return token
        chosen = self.of(work)
        if chosen is None:  # expired just now
            raise StoreUnavailableError()
        return chosen
