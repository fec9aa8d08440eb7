"""Identifies the caller of a request by what API Gateway found out about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def caller_id(context: Mapping[str, Any]) -> str | None:
    """Return the token's subject, the IAM principal or the API key's id; None without any, as on a local server.

    Parameters
    ----------
    context
        The event's `requestContext`.
    """
    authorizer, identity = (_members(context.get(name)) for name in ("authorizer", "identity"))
    for kind, value in (
        ("jwt", authorizer.get("principalId")),
        ("iam", identity.get("userArn")),
        ("key", identity.get("apiKeyId")),
    ):
        if isinstance(value, str) and value:
            return f"{kind}:{value}"
    return None


def _members(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
