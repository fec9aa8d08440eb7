"""Times as the API and archives give them."""

from __future__ import annotations

from datetime import UTC, datetime


def as_text(seconds: int) -> str:
    """Return a time in seconds since 1970 as ISO 8601 has it, in UTC: `2026-11-26T03:00:00Z`.

    Not strftime, which leaves out the zeros in front of years before 1000.
    """
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
