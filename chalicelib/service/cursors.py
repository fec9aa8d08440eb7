"""Encodes the row id at which a list continues as an opaque cursor."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

_BYTES = 8
# 64 bits take eleven base64 digits; the last digit holds four bits.
_FORM = re.compile(r"[A-Za-z0-9_-]{10}[AEIMQUYcgkosw048]")


def encode(row_id: int) -> str:
    return urlsafe_b64encode(row_id.to_bytes(_BYTES, "big")).decode("ascii").rstrip("=")


def decode(cursor: str) -> int | None:
    """Return the row id; None when `encode` cannot have made the cursor."""
    if not _FORM.fullmatch(cursor):
        return None
    row_id = int.from_bytes(urlsafe_b64decode(cursor + "="), "big")
    return row_id if row_id < 2 ** (8 * _BYTES - 1) else None
