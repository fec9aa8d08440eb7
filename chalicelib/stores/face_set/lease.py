"""Leases: columns `leased_until` that say until when somebody works alone, in seconds since 1970 by their clock.

A lease that ends later than any honest clock can have set it is nobody's: the clock of who took it was wrong.
"""

from __future__ import annotations


def bounds(now: float, seconds: int) -> tuple[int, int]:
    """Return between which two times a lease of so many seconds ends while it is held: above one, up to the other.

    Twice its length ahead, because two machines' clocks may differ by as much as one lease.
    """
    return int(now), int(now) + 2 * seconds
