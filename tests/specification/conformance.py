"""Check every reply that a test receives against the document, which must name each of the reply's fields."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from openapi_schema_validator import OAS31Validator, oas31_format_checker
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from chalicelib.api.openapi.document import openapi

URI = "urn:face-search"


def assert_documented(method: str, path: str, status: int, headers: Mapping[str, str], text: str) -> None:
    """Check that the document announces this reply. Header names are in lower case."""
    operation = _operations(path).get(method.lower())
    if operation is None:
        assert status in (404, 405), f"{method} {path} is not in the document, but answered with {status}"
        assert_valid(json.loads(text), f"{URI}#/components/schemas/Error")
        return
    assert str(status) in operation["responses"], (
        f"{method} {path} answered with {status}, which is not in the document"
    )
    response = resolved(operation["responses"][str(status)])
    for name, header in response.get("headers", {}).items():
        assert name.lower() in headers or not header["required"], f"{name} is missing"
        if name.lower() in headers and header["schema"]["type"] == "integer":
            assert int(headers[name.lower()]) >= header["schema"]["minimum"]
    assert ("retry-after" in headers) == ("Retry-After" in response.get("headers", {}))
    if "content" not in response:
        assert text == ""
        return
    media_type = headers["content-type"].partition(";")[0]
    assert media_type in response["content"], f"{media_type} is not in the document"
    if media_type == "application/json":
        body, media = json.loads(text), response["content"]["application/json"]
        assert_valid(body, URI + media["schema"]["$ref"])
        if status >= 400:
            assert code_and_message(body) in [code_and_message(one["value"]) for one in media["examples"].values()]


def assert_valid(value: Any, schema: str) -> None:
    """Check that a value matches a schema of the document and has only fields that the schema names."""
    OAS31Validator({"$ref": schema}, registry=_registry(), format_checker=oas31_format_checker).validate(value)


def code_and_message(error: Mapping[str, str]) -> tuple[str, str]:
    return error["error_code"], error["error_msg"]


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """Return a node of the document, with a reference resolved."""
    target: Any = openapi()
    if "$ref" not in node:
        return node
    for part in node["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    assert isinstance(target, dict)
    return target


@cache
def _operations(path: str) -> dict[str, Any]:
    for template, operations in openapi()["paths"].items():
        if re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", template), path):
            assert isinstance(operations, dict)
            return operations
    return {}


@cache
def _registry() -> Registry[Any]:
    contents = _closed(openapi())
    registry: Registry[Any] = Registry().with_resource(URI, DRAFT202012.create_resource(contents))
    return registry


def _closed(node: Any) -> Any:
    """Return a copy of a schema in which objects have only the named fields."""
    if isinstance(node, list):
        return [_closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    closed = {name: _closed(item) for name, item in node.items()}
    return (
        {**closed, "additionalProperties": False} if node.get("type") == "object" and "properties" in node else closed
    )
