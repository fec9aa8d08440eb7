"""Encodes the row ids at which a list continues as an opaque cursor."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

_BYTES = 8
_DIGITS = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def encode(*row_ids: int) -> str:
    data = b"".join(row_id.to_bytes(_BYTES, "big") for row_id in row_ids)
    return urlsafe_b64encode(data).decode("ascii").rstrip("=")


def decode(cursor: str, count: int = 1) -> tuple[int, ...] | None:
    """Return the `count` row ids; None when `encode` cannot have made the cursor."""
    if len(cursor) != -(-count * _BYTES * 8 // 6) or not _DIGITS.fullmatch(cursor):
        return None
    data = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    row_ids = tuple(int.from_bytes(data[at : at + _BYTES], "big") for at in range(0, len(data), _BYTES))
    # The last digit has unused bits, which must be zero.
    return row_ids if max(row_ids) < 2 ** (8 * _BYTES - 1) and encode(*row_ids) == cursor else None
