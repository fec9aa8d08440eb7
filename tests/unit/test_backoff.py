"""Waits grow, are random and have an upper limit."""

from __future__ import annotations

import pytest

from chalicelib.stores.backoff import backoff_seconds


@pytest.mark.parametrize(("attempt", "longest"), [(1, 0.1), (2, 0.2), (3, 0.4), (5, 1.0), (20, 1.0)])
def test_a_wait_is_random_up_to_twice_the_last_and_never_above_the_limit(attempt: int, longest: float) -> None:
    waits = [backoff_seconds(attempt, first=0.1, longest=1.0) for _ in range(500)]

    assert 0 <= min(waits) < 0.1 * longest
    assert 0.9 * longest < max(waits) <= longest
