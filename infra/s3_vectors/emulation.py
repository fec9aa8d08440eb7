"""Holds the emulation's settings and a record of its replies, once per process, like moto's own state."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from infra.s3_vectors.faults import Faults
from infra.s3_vectors.rates import WriteRates


class Emulation:
    """The settings and the record. `rates` and `faults` may be set at any time; None, the default, disables them."""

    def __init__(self) -> None:
        self.rates: WriteRates | None = None
        self.faults: Faults | None = None
        self._lock = threading.Lock()
        self._replies: Counter[str] = Counter()
        self._violations: list[str] = []

    def note(self, operation: str, status: int, violation: str | None) -> None:
        with self._lock:
            self._replies[f"{operation} {status}"] += 1
            if violation is not None:
                self._violations.append(f"{operation}: {violation}")

    def replies(self) -> dict[str, int]:
        """Return the number of replies by operation and status, such as `PutVectors 429`; 0 is a cut connection."""
        with self._lock:
            return dict(self._replies)

    def take_violations(self) -> list[str]:
        """Return and clear the reasons of all ValidationExceptions. A correct client causes none."""
        with self._lock:
            taken, self._violations = self._violations, []
            return taken

    @contextmanager
    def failing(self, faults: Faults) -> Iterator[None]:
        """Make operations fail during the block."""
        before, self.faults = self.faults, faults
        try:
            yield
        finally:
            self.faults = before

    @contextmanager
    def limited(self, rates: WriteRates) -> Iterator[None]:
        """Refuse writes above these rates during the block."""
        before, self.rates = self.rates, rates
        try:
            yield
        finally:
            self.rates = before

    def seen(self) -> dict[str, Any]:
        """Return the replies, and return and clear the violations, for another process."""
        return {"replies": self.replies(), "violations": self.take_violations()}


emulation = Emulation()
