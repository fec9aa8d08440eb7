"""The headers of every reply."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from chalicelib.api import cors
from chalicelib.telemetry import logs

# Replies contain personal data: caches must not store them, browsers must not render them as pages, and their addresses
# must not reach other sites.
ALWAYS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
# One year. Sent only by a deployed service, because a host without TLS must not send this header (RFC 6797, 7.2).
HTTPS_ONLY = {"Strict-Transport-Security": "max-age=31536000"}


def complete(headers: MutableMapping[str, Any]) -> None:
    """Add each header that a reply does not set itself."""
    for name, value in {**ALWAYS, **(HTTPS_ONLY if logs.on_lambda() else {}), **cors.headers()}.items():
        headers.setdefault(name, value)
