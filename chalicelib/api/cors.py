"""Cross-origin requests: no page but the service's own may call it, unless CORS_ORIGIN names the origin of others."""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.settings import SettingsError, current_settings

ALLOWED_HEADERS = "Content-Type, X-Api-Key"
# Browsers keep a permission for two hours at most.
MAX_AGE_SECONDS = 7200


def origin() -> str | None:
    """Return the origin that is let in; None also while a setting is wrong, which the log then says."""
    try:
        return current_settings().cors_origin
    except SettingsError:
        return None


def headers() -> dict[str, str]:
    """What a reply has to say for the page to be given it."""
    allowed = origin()
    if allowed is None:
        return {}
    return {"Access-Control-Allow-Origin": allowed, "Access-Control-Expose-Headers": "Retry-After"}


def permission(methods: Iterable[str]) -> dict[str, str]:
    """The headers that answer a preflight for an address with these methods."""
    return {
        "Access-Control-Allow-Methods": ", ".join(methods),
        "Access-Control-Allow-Headers": ALLOWED_HEADERS,
        "Access-Control-Max-Age": str(MAX_AGE_SECONDS),
    }
