"""Compacts the local stack's face set as often as the deployed one's."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from chalicelib.errors import ServiceError
from chalicelib.maintenance import operations
from chalicelib.wiring import Wiring

MAX_WAIT_SECONDS = 2

log = logging.getLogger(__name__)


@contextmanager
def compacted_regularly(parts: Wiring, interval_seconds: float) -> Iterator[None]:
    """Compact now, and after every interval in another thread until the block ends."""
    stopping = threading.Event()

    def run() -> None:
        while not stopping.wait(interval_seconds):
            _compact(parts)

    _compact(parts)
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(MAX_WAIT_SECONDS)


def _compact(parts: Wiring) -> None:
    try:
        operations.compact(parts)
    except ServiceError:
        log.warning("compacting the face set failed; the next run continues")
