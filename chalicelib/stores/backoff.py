"""Random waits between retries."""

from __future__ import annotations

import random

_random = random.SystemRandom()


def backoff_seconds(attempt: int, *, first: float, longest: float) -> float:
    """Return a random wait in seconds ("full jitter"); its upper limit doubles with each attempt.

    Random waits keep callers that collided from colliding again
    (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).

    Parameters
    ----------
    attempt
        The number of failed attempts, from 1.
    first
        The longest wait after the first failure, in seconds.
    longest
        The longest wait of all, in seconds.
    """
    return _random.uniform(0.0, min(longest, first * 2.0 ** (attempt - 1)))
