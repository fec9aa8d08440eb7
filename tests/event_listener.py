"""A bus of EventBridge in moto, and a queue that gets its events."""

from __future__ import annotations

import json
import secrets
from typing import Any

import boto3


class Listener:
    """A bus, and a queue that gets its events."""

    def __init__(self) -> None:
        session = boto3.Session(region_name="eu-central-1")
        self.name = f"face-search-{secrets.token_hex(4)}"
        self._sqs: Any = session.client("sqs")
        events: Any = session.client("events")
        self._queue = self._sqs.create_queue(QueueName=self.name)["QueueUrl"]
        asked = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])
        events.create_event_bus(Name=self.name)
        pattern = json.dumps({"source": ["face-search"]})
        events.put_rule(Name=self.name, EventBusName=self.name, EventPattern=pattern, State="ENABLED")
        target = {"Id": "queue", "Arn": asked["Attributes"]["QueueArn"]}
        events.put_targets(Rule=self.name, EventBusName=self.name, Targets=[target])

    def heard(self) -> list[dict[str, Any]]:
        """Return the events that arrived since the last call."""
        found: list[dict[str, Any]] = []
        while messages := self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                found.append(json.loads(message["Body"]))
                self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
        return found
