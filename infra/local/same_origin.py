"""Which requests of browsers the local server takes.

Where deployed, an API key keeps the pages of other origins out. Here there is none, and any page can send requests to
localhost. The rules are those of Go's `http.CrossOriginProtection`, for requests that only read too.
"""

from __future__ import annotations

import ipaddress
from email.message import Message
from http import HTTPStatus
from urllib.parse import urlsplit

from chalicelib import errors
from chalicelib.api import cors
from chalicelib.errors import ServiceError

# What `Sec-Fetch-Site` says of the service's own page, and of an address that the user typed.
_OWN = frozenset({"same-origin", "none"})


def check_host(host: str | None, bound: str) -> None:
    """Refuse a name that may be another site's: its page could make the name lead here, and would be of one origin.

    Parameters
    ----------
    host
        The header `Host`, which plain clients may leave out.
    bound
        The name or address that the operator chose to listen on.

    Raises
    ------
    ServiceError
        1001, status 403.
    """
    if host is not None and not _is_own(_name(host), bound.lower()):
        raise _refused(f"this server is called localhost, {bound}, or by an IP address")


def check_origin(headers: Message) -> None:
    """Refuse a request of another origin's page, unless CORS_ORIGIN names the origin. Programs send none of this.

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
    raise _refused("a page of another origin may not call this server; CORS_ORIGIN names one that may")


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
