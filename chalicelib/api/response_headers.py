"""The headers that every reply has, whatever it says."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from chalicelib.api import cors
from chalicelib.telemetry import logs

# Replies tell whose faces are where: none is kept by a cache, taken for a page, or named to another site.
ALWAYS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
# A year. Only where deployed, as a host without TLS must not send it (RFC 6797, 7.2).
HTTPS_ONLY = {"Strict-Transport-Security": "max-age=31536000"}


def complete(headers: MutableMapping[str, Any]) -> None:
    """Add what a reply does not say otherwise."""
    for name, value in {**ALWAYS, **(HTTPS_ONLY if logs.on_lambda() else {}), **cors.headers()}.items():
        headers.setdefault(name, value)
