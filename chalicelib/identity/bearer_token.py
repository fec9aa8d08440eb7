"""Verifies bearer tokens (JWT, RFC 7519) and reads what they permit.

The algorithm follows from the type of the issuer's key, never from the token alone (RFC 8725, 3.1): RS256 for RSA,
ES256 for P-256. So `none`, and HMAC with a public key as the secret, are refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from joserfc import jws, jwt
from joserfc.errors import JoseError

from chalicelib.identity.issuer_keys import IssuerKeys

# Bounds the work for a token. API Gateway accepts 10,240 bytes of headers.
MAX_TOKEN_CHARACTERS = 8_192
MAX_SUBJECT_CHARACTERS = 256
# For clocks that differ.
LEEWAY_SECONDS = 60
ALGORITHMS = {"RSA": "RS256", "EC": "ES256"}
ALL_SETS = "*"
# Scopes of OAuth. Cognito writes them as resource server/scope.
READ_SCOPES, WRITE_SCOPES = {"faces:read", "faces/read"}, {"faces:write", "faces/write"}


class RefusedTokenError(Exception):
    """The token is not accepted. The message gives the reason and quotes nothing of the token."""


class Grant(NamedTuple):
    """What a token permits. `face_sets` is (ALL_SETS,) for all; `access` is read, write or empty."""

    subject: str
    face_sets: tuple[str, ...]
    access: str
    expires_at: int


class TokenVerifier:
    """Verifies the tokens of one issuer for one audience.

    Parameters
    ----------
    sets_claim, access_claim
        The claims that list the permitted face sets, and that say read or write. Without the latter, the token's scopes
        count.
    clock
        Returns the seconds since 1970.
    """

    def __init__(
        self,
        issuer: str,
        audience: str,
        keys: IssuerKeys,
        *,
        sets_claim: str = "face_sets",
        access_claim: str = "access",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._audience = audience
        self._keys = keys
        self._sets_claim = sets_claim
        self._access_claim = access_claim
        self._registry = jwt.JWTClaimsRegistry(
            now=lambda: int(clock()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer},
            sub={"essential": True},
            exp={"essential": True},
        )

    def verify(self, token: str) -> Grant:
        """Return what a token permits.

        Raises
        ------
        RefusedTokenError
            When the token is not valid now, for this audience, from this issuer.
        KeysUnavailableError
            When the issuer's keys cannot be read.
        """
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise RefusedTokenError("the token is too long")
        try:
            claims = self._signed_claims(token)
            self._registry.validate(claims)
        except (JoseError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise RefusedTokenError(f"the token is not valid ({type(error).__name__})") from None
        # Access tokens of Cognito name the client instead of the audience.
        if self._audience not in _words(claims.get("aud", claims.get("client_id")), separate=False):
            raise RefusedTokenError("the token is for another audience")
        subject = claims["sub"]
        if not subject or len(subject) > MAX_SUBJECT_CHARACTERS or not subject.isprintable():
            raise RefusedTokenError("the token's subject is empty, too long or not printable")
        sets = [name for name in _words(claims.get(self._sets_claim)) if not set(name) & set(" \t\r\n,")]
        return Grant(
            subject,
            (ALL_SETS,) if ALL_SETS in sets else tuple(sorted(set(sets))),
            self._access(claims),
            int(claims["exp"]),
        )

    def _signed_claims(self, token: str) -> dict[str, Any]:
        header = jws.extract_compact(token.encode("ascii")).headers()
        key_id = header.get("kid")
        key = self._keys.key(key_id) if isinstance(key_id, str) else None
        if key is None:
            raise RefusedTokenError("the token names no key of the issuer")
        return jwt.decode(token, key, algorithms=[ALGORITHMS[key.key_type]]).claims

    def _access(self, claims: dict[str, Any]) -> str:
        """Return write, read or nothing. Writing includes reading."""
        named = set(_words(claims.get(self._access_claim)))
        scopes = (
            {*_words(claims.get("scope")), *_words(claims.get("scp"))} if self._access_claim not in claims else set()
        )
        if "write" in named or scopes & WRITE_SCOPES:
            return "write"
        return "read" if "read" in named or scopes & READ_SCOPES else ""


def _words(value: Any, *, separate: bool = True) -> list[str]:
    """Return the texts of a claim: a list, or one text that separates them by spaces or commas."""
    if isinstance(value, str):
        return value.replace(",", " ").split() if separate else [value]
    return [word for word in value if isinstance(word, str)] if isinstance(value, list) else []
