"""Describes how a deployed service knows its callers, by the setting IDENTITY."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from chalicelib import errors
from chalicelib.api.openapi import failures
from chalicelib.api.openapi.builders import KEY

# The security scheme of each setting, by the scheme's name.
SCHEMES: dict[str, tuple[str, dict[str, Any]]] = {
    "key": (
        KEY,
        {
            "type": "apiKey",
            "in": "header",
            "name": "x-api-key",
            "description": "An API key of the deployed service; a local service requires none.",
        },
    ),
    "iam": (
        "signature",
        {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "AWS Signature Version 4 of the service execute-api.",
        },
    ),
    "jwt": (
        "token",
        {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A token of the service's issuer. It names the face sets that the caller may use, and "
            "permits reading or writing. Faces of other face sets are answered like unknown ones.",
        },
    ),
}
_REFUSALS = {
    "iam": (errors.unsigned(), errors.bad_argument("the caller may not send this request", status=403)),
    "jwt": (errors.no_valid_token(), errors.may_not("write"), errors.may_not_use_face_set()),
}


def secured(document: dict[str, Any], identity: str) -> dict[str, Any]:
    """Return a document for API keys with the security of another IDENTITY."""
    if identity == "key":
        return document
    name, scheme = SCHEMES[identity]
    refusals = failures.shared(_REFUSALS[identity])
    components = document["components"]
    return {
        **document,
        "paths": {
            path: {method: _secured(operation, name, refusals) for method, operation in operations.items()}
            for path, operations in document["paths"].items()
        },
        "components": {
            **components,
            "responses": {**components["responses"], **refusals},
            "securitySchemes": {name: scheme},
        },
    }


def _secured(operation: dict[str, Any], scheme: str, refusals: dict[str, Any]) -> dict[str, Any]:
    if not operation["security"]:
        return operation
    responses = dict(operation["responses"])
    for status, refusal in refusals.items():
        with_body = operation["responses"][str(int(HTTPStatus.FORBIDDEN))]
        # HEAD has the description alone.
        responses[status] = (
            {"$ref": f"#/components/responses/{status}"}
            if "$ref" in with_body
            else {"description": refusal["description"]}
        )
    return {**operation, "security": [{scheme: []}], "responses": dict(sorted(responses.items()))}
