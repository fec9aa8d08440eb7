"""The function that API Gateway asks whether a bearer token is valid; it remembers the answer for some minutes.

The answer permits every method of the stage, as it is remembered for the token and not for a method. The service itself
enforces what the token permits (`chalicelib/api/callers.py`).

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html
"""

from __future__ import annotations

import functools
import logging
import os
from typing import Any

from chalicelib.identity.bearer_token import RefusedTokenError, TokenVerifier
from chalicelib.identity.issuer_keys import IssuerKeys, read_json

SCHEME = "bearer "

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)


class UnauthorizedError(Exception):
    """API Gateway answers 401 to an error with exactly this message."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


def authorize(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Return the caller's identity and rights for a valid token.

    Raises
    ------
    UnauthorizedError
        When the token is not accepted; the log has the reason.
    KeysUnavailableError
        When the issuer's keys cannot be read. API Gateway answers 500.
    """
    sent = str(event.get("authorizationToken", ""))
    if sent[: len(SCHEME)].lower() != SCHEME:
        raise UnauthorizedError
    try:
        grant = _verifier().verify(sent[len(SCHEME) :].strip())
    except RefusedTokenError as error:
        log.info("refused a token: %s", error)
        raise UnauthorizedError from None
    api, stage, *_ = str(event["methodArn"]).split("/")
    statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": f"{api}/{stage}/*"}
    return {
        "principalId": grant.subject,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": {
            "face_sets": " ".join(grant.face_sets),
            "access": grant.access,
            "expires_at": str(grant.expires_at),
        },
    }


@functools.cache
def _verifier() -> TokenVerifier:
    issuer = os.environ["TOKEN_ISSUER"]
    return TokenVerifier(
        issuer,
        os.environ["TOKEN_AUDIENCE"],
        IssuerKeys(issuer, read_json),
        sets_claim=os.environ["FACE_SETS_CLAIM"],
        access_claim=os.environ["ACCESS_CLAIM"],
    )
