"""How long to wait before trying again."""

from __future__ import annotations

import random

_random = random.SystemRandom()


def backoff_seconds(attempt: int, *, first: float, longest: float) -> float:
    """Return a random wait in seconds, up to twice as long each time: "full jitter".

    Callers that were in each other's way then do not meet again
    (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).

    Parameters
    ----------
    attempt
        How many attempts have failed, from 1.
    first
        The longest wait after the first failure, in seconds.
    longest
        What no wait exceeds, in seconds.
    """
    return _random.uniform(0.0, min(longest, first * 2.0 ** (attempt - 1)))
