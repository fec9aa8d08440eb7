"""The public keys of a token issuer, read over HTTPS and kept in memory."""

from __future__ import annotations

import http.client
import json
import logging
import ssl
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

# Issuers rotate keys over days. A key that an issuer withdraws is accepted for at most an hour, or for at most a day
# while the issuer does not answer.
FRESH_SECONDS, USABLE_SECONDS = 3600, 86_400
# The shortest time between two readings: tokens with made-up key ids must not make the function call the issuer. After
# a failure the issuer is asked sooner.
REREAD_SECONDS, RETRY_SECONDS = 60, 5
SOCKET_SECONDS = 3
MAX_BYTES = 256 * 1024
MAX_KEYS = 100
SMALLEST_RSA_BITS = 2048
DISCOVERY = "/.well-known/openid-configuration"

PublicKey = RSAKey | ECKey

log = logging.getLogger(__name__)


class KeysUnavailableError(Exception):
    """The issuer's keys cannot be read. The message names no key."""


class IssuerKeys:
    """The keys of one issuer by their ids. Not thread-safe: a container checks one token at a time.

    Parameters
    ----------
    read
        Returns the JSON object at an https address, or raises KeysUnavailableError.
    clock
        Returns seconds from any starting point.
    """

    def __init__(
        self, issuer: str, read: Callable[[str], dict[str, Any]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._issuer = issuer
        self._read = read
        self._clock = clock
        self._keys: dict[str, PublicKey] = {}
        self._read_at: float | None = None
        self._next_reading = float("-inf")

    def key(self, key_id: str) -> PublicKey | None:
        """Return a key, or None when the issuer has no such key.

        Raises
        ------
        KeysUnavailableError
            When no keys are known that are fresh enough, and the issuer does not answer.
        """
        if (key_id not in self._keys or self._age() > FRESH_SECONDS) and self._clock() >= self._next_reading:
            self._renew()
        if self._age() > USABLE_SECONDS:
            raise KeysUnavailableError("the issuer's keys are not known")
        return self._keys.get(key_id)

    def _age(self) -> float:
        return float("inf") if self._read_at is None else self._clock() - self._read_at

    def _renew(self) -> None:
        try:
            self._keys = self._published()
        except KeysUnavailableError as error:  # the present keys stay in use
            log.warning("the keys of the issuer were not read: %s", error)
            self._next_reading = self._clock() + RETRY_SECONDS
        else:
            self._read_at = self._clock()
            self._next_reading = self._read_at + REREAD_SECONDS

    def _published(self) -> dict[str, PublicKey]:
        configuration = self._read(self._issuer.rstrip("/") + DISCOVERY)
        if configuration.get("issuer") != self._issuer:
            raise KeysUnavailableError("the issuer's configuration names another issuer")
        listed = self._read(str(configuration.get("jwks_uri"))).get("keys")
        if not isinstance(listed, list) or len(listed) > MAX_KEYS:
            raise KeysUnavailableError(f"the issuer's keys are not a list of at most {MAX_KEYS}")
        return {key["kid"]: usable for key in listed if (usable := _usable(key))}


def _usable(key: Any) -> PublicKey | None:
    """Return a published key that signs tokens with RS256 or ES256 and has an id; None for every other."""
    if not isinstance(key, dict) or not isinstance(key.get("kid"), str) or key.get("use", "sig") != "sig":
        return None
    try:
        match key.get("kty"), key.get("crv"):
            case "RSA", _ if key.get("alg", "RS256") == "RS256":
                rsa = RSAKey.import_key({name: key[name] for name in ("kty", "n", "e")})
                return rsa if rsa.public_key.key_size >= SMALLEST_RSA_BITS else None
            case "EC", "P-256" if key.get("alg", "ES256") == "ES256":
                return ECKey.import_key({name: key[name] for name in ("kty", "crv", "x", "y")})
    except (JoseError, KeyError, TypeError, ValueError):
        pass  # the issuer's other keys may be good
    return None


def read_json(url: str, context: ssl.SSLContext | None = None) -> dict[str, Any]:
    """Return the JSON object at an https address. Redirects are not followed.

    Raises
    ------
    KeysUnavailableError
        For an address without https, another reply than 200, more than MAX_BYTES, or no JSON object.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise KeysUnavailableError("an address of the issuer does not begin with https://")
    host = http.client.HTTPSConnection(
        parts.hostname, parts.port, timeout=SOCKET_SECONDS, context=context or ssl.create_default_context()
    )
    try:
        host.request("GET", f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}")
        reply = host.getresponse()
        data = reply.read(MAX_BYTES + 1)
    except (OSError, http.client.HTTPException) as error:
        raise KeysUnavailableError(f"the issuer does not answer ({type(error).__name__})") from None
    finally:
        host.close()
    if reply.status != http.HTTPStatus.OK or len(data) > MAX_BYTES:
        raise KeysUnavailableError(f"the issuer answered with status {reply.status} and {len(data)} bytes")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise KeysUnavailableError("the issuer did not answer with a JSON object")
    return found
