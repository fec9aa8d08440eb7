"""Identifies the caller of a request by what API Gateway found out about them, and limits what they see and change.

The gateway checks keys, signatures and tokens. For tokens, its authorizer (`chalicelib/identity`) passes on what the
token permits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from chalicelib import errors
from chalicelib.settings import current_settings

Access = Literal["read", "write"]
"""Writing includes reading."""

ALL_SETS = "*"
# Returns the face set of each token that is known; detected faces are in no face set.
SetsOf = Callable[[Sequence[str]], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of a request. `face_sets` are the names of the face sets that they may use; None for all.

    Methods raise `ServiceError` 1001 (403) for what the caller may not do. A face of another face set is answered like
    one that does not exist, 1006.
    """

    id: str | None = None
    access: Access | None = "write"
    face_sets: frozenset[str] | None = None

    def check_access(self, needed: Access) -> None:
        if self.access not in ("write", needed):
            raise errors.may_not(needed)

    def sees(self, face_set: str) -> bool:
        return self.face_sets is None or face_set in self.face_sets

    def check_face_set(self, name: str) -> None:
        if not self.sees(name):
            raise errors.may_not_use_face_set()

    def hidden(self, tokens: Sequence[str], sets_of: SetsOf) -> list[str]:
        """Return the tokens of faces in face sets that the caller may not use."""
        if self.face_sets is None:
            return []
        known = sets_of(tokens)
        return [token for token in tokens if token in known and not self.sees(known[token])]


def caller(context: Mapping[str, Any]) -> Caller:
    """Return the caller of a request that the gateway has let through.

    Parameters
    ----------
    context
        The event's `requestContext`.

    Raises
    ------
    ServiceError
        1001 when the setting IDENTITY requires a token (401) or a signature (403) and there is none, or the token has
        expired since the gateway checked it (401).
    """
    found, identity = caller_id(context), current_settings().identity
    if identity == "key":
        return Caller(found)
    if found is None or not found.startswith(f"{identity}:"):
        raise errors.no_valid_token() if identity == "jwt" else errors.unsigned()
    return _of_token(found, context["authorizer"]) if identity == "jwt" else Caller(found)


def caller_id(context: Mapping[str, Any]) -> str | None:
    """Return the token's subject, the IAM principal or the API key's id; None without any, as on a local server."""
    authorizer, identity = (_members(context.get(name)) for name in ("authorizer", "identity"))
    for kind, value in (
        ("jwt", authorizer.get("principalId")),
        ("iam", identity.get("userArn")),
        ("key", identity.get("apiKeyId")),
    ):
        if isinstance(value, str) and value:
            return f"{kind}:{value}"
    return None


def _of_token(found: str, permitted: Mapping[str, Any]) -> Caller:
    """Return the caller with the rights that the authorizer passed on. The gateway turns its values into texts."""
    # The gateway remembers the authorizer's answer for some minutes.
    expires_at = str(permitted.get("expires_at", ""))
    if not expires_at.isdecimal() or int(expires_at) <= time.time():
        raise errors.no_valid_token()
    names = frozenset(str(permitted.get("face_sets", "")).split())
    access: Access | None = None
    match permitted.get("access"):
        case "read" | "write" as named:
            access = named
    return Caller(found, access, None if ALL_SETS in names else names)


def _members(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
