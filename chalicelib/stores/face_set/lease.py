"""Leases: a column `leased_until` holds the end of a process's sole turn, in seconds since 1970 by its clock.

A lease that ends implausibly late is ignored: the clock of the process that took it was wrong.
"""

from __future__ import annotations


def bounds(now: float, seconds: int) -> tuple[int, int]:
    """Return two times, `(low, high)`: a lease of `seconds` is held while `low < leased_until <= high`.

    `high` is twice the lease's length ahead, because two machines' clocks may differ by as much as one lease.
    """
    return int(now), int(now) + 2 * seconds
