"""The error responses of each route, with the service's own wording."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from chalicelib import errors
from chalicelib.api import bodies, replies
from chalicelib.api.openapi.parameters import EXAMPLE_FACE, Argument
from chalicelib.errors import ServiceError
from chalicelib.images import decoding
from chalicelib.vision import quality

_PROPERTIES = {
    "sucess": {"type": "boolean", "const": False},
    "success": {"type": "boolean", "const": False},
    "error_code": {"type": "string", "enum": list(errors.MESSAGES)},
    "error_msg": {"type": "string", "enum": list(errors.MESSAGES.values())},
    "detail": {"type": "string", "description": "One sentence that says what was wrong and what is accepted."},
}
SCHEMA = {"type": "object", "properties": _PROPERTIES, "required": list(_PROPERTIES)}

_RETRY_AFTER = {
    "description": "Seconds to wait before the next try.",
    "required": True,
    "schema": {"type": "integer", "minimum": 1},
}

SERVER = (errors.internal_error(),)
# Errors of every route that reads the database.
DATABASE = (errors.database_starts(), errors.schema_is_behind())
STORES = (*SERVER, errors.StoreUnavailableError(), errors.took_too_long(), errors.too_busy(), *DATABASE)
# Errors that API Gateway itself answers for a deployed service.
GATEWAY = (
    ServiceError("1001", HTTPStatus.FORBIDDEN, "an API key is required in the header x-api-key"),
    ServiceError("1003", HTTPStatus.TOO_MANY_REQUESTS, "there are too many requests at the moment; try again"),
    ServiceError("1003", HTTPStatus.BAD_GATEWAY, "the server failed or took too long", retry_after=2),
    ServiceError("1003", HTTPStatus.GATEWAY_TIMEOUT, "the server failed or took too long", retry_after=2),
)
BODY = (
    bodies.unknown_type(),
    errors.slow_upload(),
    ServiceError("1005", HTTPStatus.LENGTH_REQUIRED, "the body must come with its Content-Length"),
    decoding.too_many_bytes(),
)
PICTURE = (
    errors.broken_picture(),
    errors.file_error("the file is neither a JPEG nor a PNG", status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
)
UNKNOWN_TOKEN = (errors.unknown_token(),)
UNKNOWN_TOKENS = (errors.unknown_tokens([EXAMPLE_FACE], 3),)
UNKNOWN_FACE_SET = (errors.unknown_face_set(),)
ANOTHER_FACE_SET = (errors.in_another_face_set(),)
UNKNOWN_PERSON = (errors.unknown_person(),)
PERSON_CHANGE = (errors.another_person(), errors.not_their_face(), errors.missing_argument("name or cover"))
NO_FACE = (errors.no_face(30),)
POOR_FACE = (errors.poor_face([f"the face is too small: 31 px, at least {quality.SMALLEST_PX:.0f} px are needed"]),)
DEFAULT_FACE_SET = (errors.bad_argument("the face set default cannot be deleted"),)


def of_arguments(required: Sequence[Argument], optional: Sequence[Argument] = ()) -> tuple[ServiceError, ...]:
    """Return example errors for a route's arguments, using its first argument."""
    missing = tuple(errors.missing_argument(argument.name) for argument in required[:1])
    return (errors.bad_argument(f"{(*required, *optional)[0].name} is given more than once"), *missing)


def of_either(group: Sequence[Argument]) -> tuple[ServiceError, ...]:
    """Return example errors for a group of arguments. A request needs exactly one of them."""
    names = [argument.name for argument in group]
    both = f"send either {names[0]} or {names[-1]}, not both"
    return (errors.bad_argument(both), errors.missing_argument(*names))


def responses(failures: Sequence[ServiceError]) -> dict[str, Any]:
    """Return the responses for some errors, by status; each error becomes an example of its status."""
    return {
        status: {"$ref": f"#/components/responses/{status}"} if status in SHARED else _response(found)
        for status, found in _by_status(failures).items()
    }


def _response(failures: Sequence[ServiceError]) -> dict[str, Any]:
    examples = {}
    for number, error in enumerate(failures, start=1):
        body = replies.failure(error).body
        examples[f"{error.code}_{number}"] = {"summary": body["error_msg"], "value": body}
    retries = {"headers": {"Retry-After": _RETRY_AFTER}} if all(error.retry_after for error in failures) else {}
    return {
        "description": "; ".join(dict.fromkeys(f"{error.code}: {error.detail}" for error in failures)),
        **retries,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}, "examples": examples}},
    }


def _by_status(failures: Sequence[ServiceError]) -> dict[str, list[ServiceError]]:
    by_status: dict[str, list[ServiceError]] = {}
    for error in sorted(failures, key=lambda error: error.status):
        by_status.setdefault(str(int(error.status)), []).append(error)
    return by_status


def shared(failures: Sequence[ServiceError]) -> dict[str, Any]:
    """Return responses that several routes refer to, by status."""
    return {status: _response(found) for status, found in _by_status(failures).items()}


# Errors that any route may answer with.
SHARED = shared((*STORES, *GATEWAY))
