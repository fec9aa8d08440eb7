"""Cross-origin requests: only the service's own page may call it, unless CORS_ORIGIN names another origin."""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.settings import SettingsError, current_settings

ALLOWED_HEADERS = "Authorization, Content-Type, X-Api-Key"
# Browsers cache a preflight for two hours at most.
MAX_AGE_SECONDS = 7200


def origin() -> str | None:
    """Return the allowed origin; None without one, or while a setting is wrong (the log then names that setting)."""
    try:
        return current_settings().cors_origin
    except SettingsError:
        return None


def headers() -> dict[str, str]:
    """Return the headers that allow a page of that origin to read a reply."""
    allowed = origin()
    if allowed is None:
        return {}
    return {"Access-Control-Allow-Origin": allowed, "Access-Control-Expose-Headers": "Retry-After"}


def permission(methods: Iterable[str]) -> dict[str, str]:
    """Return the headers that answer a preflight for an address with these methods."""
    return {
        "Access-Control-Allow-Methods": ", ".join(methods),
        "Access-Control-Allow-Headers": ALLOWED_HEADERS,
        "Access-Control-Max-Age": str(MAX_AGE_SECONDS),
    }
