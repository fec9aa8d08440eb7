"""The limit of a rate, also in a container with another clock than the limit began with."""

from __future__ import annotations

from chalicelib.stores.aws.token_bucket import TokenBucket


def test_a_second_is_free_and_the_next_is_waited_for() -> None:
    waited = list[float]()
    bucket = TokenBucket(10, clock=lambda: 50.0, sleep=waited.append)

    bucket.take(10)
    bucket.take(5)

    assert waited == [0.5]


def test_an_earlier_clock_is_no_debt() -> None:
    """A restored snapshot was made on another machine, possibly with a later clock."""
    times, waited = iter((1_000.0, 2.0)), list[float]()
    bucket = TokenBucket(10, clock=lambda: next(times), sleep=waited.append)

    bucket.take(10)

    assert waited == []
