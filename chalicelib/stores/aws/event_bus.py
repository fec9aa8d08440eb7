"""Sends an event to Amazon EventBridge for each addition, removal and identification.

https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from chalicelib.errors import ServiceError
from chalicelib.happenings import Happening
from chalicelib.stores.aws.sdk import faults_translated

SOURCE = "face-search"
# The first is PutEvents' limit. A request has at most 256 KB, and a token in JSON has 27 bytes.
MAX_ENTRIES, MAX_TOKENS = 10, 500

log = logging.getLogger(__name__)


class EventBus:
    """A bus by name, or none. Thread-safe.

    Parameters
    ----------
    connect
        Returns a client of EventBridge; called once, before the first event.
    clock
        Returns the seconds since 1970.
    """

    def __init__(self, connect: Callable[[], Any], name: str | None, clock: Callable[[], float] = time.time) -> None:
        self._connect = connect
        self._name = name
        self._clock = clock
        self._lock = threading.Lock()
        self._client: Any = None

    def publish(self, happenings: Sequence[Happening]) -> None:
        """Send an event for each happening, several if it has many tokens. Never raises, as the work is done.

        Events that cannot be sent are lost. After the first failure nothing more is sent, which bounds the time.
        """
        if self._name is None or not happenings:
            return
        try:
            self._send(list(_entries(happenings, self._name, self._clock())))
        except ServiceError:
            log.warning("events could not be sent")
        except Exception:  # the change is made, so nothing after it may fail the request
            log.exception("events could not be sent")

    def _send(self, entries: Sequence[dict[str, Any]]) -> None:
        for start in range(0, len(entries), MAX_ENTRIES):
            with faults_translated():
                reply = self._connected().put_events(Entries=entries[start : start + MAX_ENTRIES])
            if failed := reply.get("FailedEntryCount"):
                codes = sorted({each["ErrorCode"] for each in reply["Entries"] if "ErrorCode" in each})
                log.warning("%d events were not accepted: %s", failed, ", ".join(codes))

    def _connected(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = self._connect()
            return self._client


def _entries(happenings: Sequence[Happening], bus: str, now: float) -> Iterator[dict[str, Any]]:
    time = datetime.fromtimestamp(now, UTC)
    for happening in happenings:
        for start in range(0, len(happening.tokens), MAX_TOKENS):
            tokens = happening.tokens[start : start + MAX_TOKENS]
            detail: dict[str, Any] = {"face_set": happening.face_set, "face_tokens": list(tokens)}
            if happening.nearest:
                detail["nearest"] = {token: happening.nearest[token] for token in tokens if token in happening.nearest}
            yield {
                "Time": time,
                "Source": SOURCE,
                "DetailType": happening.kind.value,
                "Detail": json.dumps(detail),
                "EventBusName": bus,
            }
