"""Decides which browser requests the local server accepts.

When deployed, an API key blocks the pages of other origins. The local server has no key, and any page can send requests
to localhost. The rules are those of Go's `http.CrossOriginProtection`, applied to read-only requests too.
"""

from __future__ import annotations

import ipaddress
from email.message import Message
from http import HTTPStatus
from urllib.parse import urlsplit

from chalicelib import errors
from chalicelib.api import cors
from chalicelib.errors import ServiceError

# `Sec-Fetch-Site` of the service's own page, and of an address that the user typed.
_OWN = frozenset({"same-origin", "none"})


def check_host(host: str | None, bound: str) -> None:
    """Refuse a host name that may belong to another site (DNS rebinding).

    The site could resolve its name to this server; its page would then have the same origin.

    Parameters
    ----------
    host
        The header `Host`, which simple clients may leave out.
    bound
        The name or address that the server listens on.

    Raises
    ------
    ServiceError
        1001, status 403.
    """
    if host is not None and not _is_own(_name(host), bound.lower()):
        raise _refused(f"the Host header must be localhost, {bound} or an IP address")


def check_origin(headers: Message) -> None:
    """Refuse a request from another origin's page, unless CORS_ORIGIN names the origin.

    Programs other than browsers send neither `Origin` nor `Sec-Fetch-Site`, and pass.

    Raises
    ------
    ServiceError
        1001, status 403.
    """
    origin, site, allowed = headers.get("origin"), headers.get("sec-fetch-site"), cors.origin()
    if allowed == "*" or (origin is not None and origin == allowed) or site in _OWN:
        return
    if site is None and (origin is None or _place(origin) == headers.get("host", "").lower()):
        return
    raise _refused("pages of other origins cannot call this server; set CORS_ORIGIN to allow one")


def _is_own(name: str, bound: str) -> bool:
    if name in ("localhost", bound) or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _place(origin: str) -> str:
    """Return the host and port of an origin."""
    return origin.partition("://")[2].lower()


def _refused(detail: str) -> ServiceError:
    return errors.bad_argument(detail, status=HTTPStatus.FORBIDDEN)
