"""Checks the result of a search that ran beside changes."""

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
    """Yield the errors of a search.

    Parameters
    ----------
    distances : from the probe to each numbered face, as many as `after` has; infinite in other face sets.
    before : the journals' state before the search began.
    after : the journals' state after the search ended.
    """
    before = np.concatenate([before, np.zeros(len(after) - len(before), np.int8)])
    numbers = [int(match.token) for match in found.matches]
    known = [number for number in numbers if number < len(after)]
    for number in numbers:
        if number >= len(after) or after[number] == Fate.NEVER:
            yield Failure(PHANTOM, number, "was never added")
        elif before[number] == Fate.GONE:
            yield Failure(PHANTOM, number, "was removed before the search began")

    # A truncated result may lack faces at the distance of its last match or farther.
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
        yield Failure(DISTANCE, -1, "out of order, or a face appears twice")
    if len(stated) > limit or (found.truncated and len(stated) < limit) or max(stated, default=0.0) > threshold:
        yield Failure(DISTANCE, -1, f"{len(stated)} matches up to {stated[-1]} for {threshold}, {limit}")


def is_found(found: SearchResult, number: int) -> bool:
    return token(number) in {match.token for match in found.matches}
