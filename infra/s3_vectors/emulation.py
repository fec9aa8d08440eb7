"""What the emulation is set to do, and what it has seen: one for each process, as moto's own state is."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from infra.s3_vectors.faults import Faults
from infra.s3_vectors.rates import WriteRates


class Emulation:
    """`rates` and `faults` may be set at any time; None, as at first, is without limits or without faults."""

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
        """Return how often each operation was answered with each status, as `PutVectors 429`; 0 is a cut connection."""
        with self._lock:
            return dict(self._replies)

    def take_violations(self) -> list[str]:
        """Return, and forget, why requests were answered with a ValidationException: no sound client meets one."""
        with self._lock:
            taken, self._violations = self._violations, []
            return taken

    @contextmanager
    def failing(self, faults: Faults) -> Iterator[None]:
        """Have operations fail for the length of the block."""
        before, self.faults = self.faults, faults
        try:
            yield
        finally:
            self.faults = before

    @contextmanager
    def limited(self, rates: WriteRates) -> Iterator[None]:
        """Have writes that come too fast refused for the length of the block."""
        before, self.rates = self.rates, rates
        try:
            yield
        finally:
            self.rates = before

    def seen(self) -> dict[str, Any]:
        """Return the replies, and take the violations: what another process asks for."""
        return {"replies": self.replies(), "violations": self.take_violations()}


emulation = Emulation()
