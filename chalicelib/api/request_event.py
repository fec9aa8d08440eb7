"""Checks API Gateway's events, because Chalice fails at an incomplete event.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from chalicelib import errors

# Fields that may be null; absent and empty ones become null.
_NULLABLE = ("headers", "multiValueQueryStringParameters", "pathParameters", "stageVariables", "body")


def whole(event: Any, routes: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event with every field that Chalice reads.

    Raises
    ------
    ServiceError
        1001 (404) when no route matches the event, 1001 (400) when the event is not an API request.
    """
    if not isinstance(event, dict) or not isinstance(event.get("requestContext"), dict):
        raise _unreadable()
    filled = {**event, **{name: event.get(name) or None for name in _NULLABLE}}
    resource, method = (event["requestContext"].get(name) for name in ("resourcePath", "httpMethod"))
    if not isinstance(resource, str) or not isinstance(method, str):
        raise _unreadable()
    if resource not in routes:
        raise errors.bad_argument("there is no such address", status=404)
    path, query = filled["pathParameters"] or {}, filled["multiValueQueryStringParameters"] or {}
    if not (
        _holds_texts(filled["headers"] or {})
        and _holds_texts(path)
        and set(re.findall(r"{(\w+)}", resource)) <= path.keys()
        and isinstance(query, dict)
        and all(isinstance(values, list) and _holds_texts(dict(enumerate(values))) for values in query.values())
        and isinstance(filled["body"], str | bytes | None)
    ):
        raise _unreadable()
    return filled


def _holds_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def _unreadable() -> errors.ServiceError:
    return errors.bad_argument("the request cannot be read")
