"""Whether a search that others disturbed may have found what it found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chalicelib.faces import SearchResult
from tests.harness.stress.journal import Fate, Fates
from tests.harness.stress.numbered_faces import token
from tests.harness.stress.report import DISTANCE, LOST, PHANTOM


class Failure(NamedTuple):
    kind: str
    number: int
    detail: str


def check(
    found: SearchResult, distances: NDArray[np.float64], threshold: float, limit: int, before: Fates, after: Fates
) -> Iterator[Failure]:
    """Yield what is wrong with a search.

    Parameters
    ----------
    distances : of each numbered face from the probe, as many as `after` has; infinite in other face sets.
    before : what the journals said before the search began.
    after : what they said after it ended.
    """
    before = np.concatenate([before, np.zeros(len(after) - len(before), np.int8)])
    numbers = [int(match.token) for match in found.matches]
    known = [number for number in numbers if number < len(after)]
    for number in numbers:
        if number >= len(after) or after[number] == Fate.NEVER:
            yield Failure(PHANTOM, number, "nobody ever added it")
        elif before[number] == Fate.GONE:
            yield Failure(PHANTOM, number, "was removed before the search began")

    # Of a truncated result nothing is said about the faces that are as far away as its last one, or farther.
    horizon = found.matches[-1].distance if found.truncated else np.nextafter(threshold, np.inf)
    certain = (before == Fate.THERE) & (after == Fate.THERE) & (distances < horizon)
    certain[known] = False
    for number in np.flatnonzero(certain).tolist():
        yield Failure(LOST, number, f"was added before the search began, at {distances[number]}")

    stated = [match.distance for match in found.matches]
    for number, distance in zip(numbers, stated, strict=True):
        if number in known and distance != distances[number]:
            yield Failure(DISTANCE, number, f"at {distances[number]}, not {distance}")
    if stated != sorted(stated) or len(set(numbers)) < len(numbers):
        yield Failure(DISTANCE, -1, "not in order, or one twice")
    if len(stated) > limit or (found.truncated and len(stated) < limit) or max(stated, default=0.0) > threshold:
        yield Failure(DISTANCE, -1, f"{len(stated)} matches up to {stated[-1]} for {threshold}, {limit}")


def is_found(found: SearchResult, number: int) -> bool:
    return token(number) in {match.token for match in found.matches}
