"""Injects faults: which operations fail, how, and whether they take effect before they fail."""

from __future__ import annotations

import random
import threading
from collections.abc import Collection, Mapping, Sequence
from enum import Enum
from typing import NamedTuple, Protocol


class Failure(Enum):
    """How the client sees the failure: an HTTP status, or a cut connection."""

    THROTTLED = 429
    INTERNAL = 500
    UNAVAILABLE = 503
    CUT = 0
    """The connection ends without an answer."""


class Moment(Enum):
    """How much of the operation has taken effect when it fails."""

    BEFORE = "nothing has happened"
    AFTER = "all has happened, only the answer is lost"
    HALFWAY = "the first half of the vectors of a put or a delete is written; other operations: as BEFORE"


class Fault(NamedTuple):
    failure: Failure
    moment: Moment = Moment.BEFORE


# A throttled request never takes effect.
ALL_FAULTS = tuple(
    Fault(failure, moment)
    for failure in Failure
    for moment in Moment
    if failure is not Failure.THROTTLED or moment is Moment.BEFORE
)


class Faults(Protocol):
    def next(self, operation: str) -> Fault | None:
        """Return the fault for an arriving operation, such as PutVectors, or None to let it succeed."""
        ...


class ShareFails:
    """Makes a share of the operations fail, each with a random fault. The same seed gives the same failures."""

    def __init__(
        self,
        share: float,
        seed: int,
        faults: Sequence[Fault] = ALL_FAULTS,
        operations: Collection[str] | None = None,
    ) -> None:
        self._share = share
        self._random = random.Random(seed)  # noqa: S311  # nosec B311  # a repeatable choice, not a secret
        self._faults = faults
        self._operations = operations
        self._lock = threading.Lock()

    def next(self, operation: str) -> Fault | None:
        if self._operations is not None and operation not in self._operations:
            return None
        with self._lock:
            return self._random.choice(self._faults) if self._random.random() < self._share else None


class NthFails:
    """Makes the n-th call of an operation fail, counted from 1."""

    def __init__(self, operation: str, faults: Mapping[int, Fault]) -> None:
        self._operation = operation
        self._faults = faults
        self._lock = threading.Lock()
        self._count = 0

    def next(self, operation: str) -> Fault | None:
        if operation != self._operation:
            return None
        with self._lock:
            self._count += 1
            return self._faults.get(self._count)
