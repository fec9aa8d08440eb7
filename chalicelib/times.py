"""Formats times for the API and for archives."""

from __future__ import annotations

from datetime import UTC, datetime


def as_text(seconds: int) -> str:
    """Return seconds since 1970 as an ISO 8601 time in UTC: `2026-11-26T03:00:00Z`.

    Avoids strftime, which omits leading zeros of years before 1000.
    """
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
