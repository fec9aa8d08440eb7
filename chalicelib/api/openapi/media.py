"""The responses that are not JSON."""

from __future__ import annotations

from typing import Any

JPEG: dict[str, Any] = {
    "description": "The face's crop, with a margin.",
    "headers": {"Cache-Control": {"schema": {"type": "string"}, "required": True}},
    "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}},
}
ELSEWHERE: dict[str, Any] = {
    "description": "A redirect to the face's crop. The address is valid for five minutes.",
    "headers": {
        "Cache-Control": {"schema": {"type": "string"}, "required": True},
        "Location": {"schema": {"type": "string"}, "required": True},
    },
}
PAGE: dict[str, Any] = {
    "200": {"description": "The page.", "content": {"text/html": {"schema": {"type": "string"}}}},
    "304": {"description": "The page has not changed."},
}
