"""Takes in the pictures that S3's messages name, for the function behind the queue.

S3 sends a message at least once and in any order, so messages only say where to look.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

from chalicelib import deadline, happenings
from chalicelib.errors import ServiceError
from chalicelib.incoming.bucket import Bucket
from chalicelib.incoming.inbox import Inbox
from chalicelib.incoming.intake import Intake
from chalicelib.telemetry import audit
from chalicelib.wiring import Wiring

log = logging.getLogger(__name__)


class Arrival(NamedTuple):
    """The path of a picture, and the id of the principal who put it there."""

    path: str
    principal: str | None


def intake(parts: Wiring, inbox: Inbox) -> Intake:
    """Build the use case for an inbox."""
    return Intake(inbox, parts.active_pack, parts.face_set, parts.chosen_tokens)


def take_messages(parts: Wiring, event: dict[str, Any]) -> str:
    """Take in the pictures of an event of the queue.

    Raises
    ------
    ServiceError
        1003 when a store failed or time ran out. The queue then repeats the whole event.
    """
    use_case = intake(parts, Bucket(parts.s3, parts.settings.incoming_bucket))
    taken = [take(parts, use_case, arrival) for arrival in _arrivals(event)]
    return f"{sum(taken)} of {len(taken)} pictures were taken in"


def take(parts: Wiring, use_case: Intake, arrival: Arrival) -> bool:
    """Take in one picture within a time limit, and announce and audit what was done; return False if nothing was done.

    Raises
    ------
    ServiceError
        What `Intake.take` raises.
    """
    with audit.following() as trail, happenings.collecting() as happened:
        try:
            with deadline.within(parts.settings.request_seconds):
                outcome = use_case.take(arrival.path)
        except ServiceError as error:
            audit.write(trail, caller=arrival.principal, action="S3", status=error.status, error_code=error.code)
            raise
        finally:
            parts.event_bus.publish(happened)
        if outcome is None:
            return False
        action, status, code = outcome
        log.info("taken in", extra={"action": action, "status": status, "error_code": code})
        audit.write(trail, caller=arrival.principal, action=f"S3 {action}", status=status, error_code=code)
        return True


def _arrivals(event: dict[str, Any]) -> Iterator[Arrival]:
    """Yield the pictures that an event of the queue names. S3's test message names none."""
    for message in event["Records"]:
        for record in json.loads(message["body"]).get("Records", ()):
            # Keys are encoded as in forms: a space is a plus sign.
            yield Arrival(
                unquote_plus(record["s3"]["object"]["key"]), record.get("userIdentity", {}).get("principalId")
            )
