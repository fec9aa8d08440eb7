"""Calls the API as API Gateway does, with events of a REST API's proxy integration."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

import app
from chalicelib import wiring
from chalicelib.maintenance import operations
from chalicelib.stores.aws import sdk
from infra.local import resources
from tests.conftest import RESOURCES_FILE
from tests.e2e.api import Api, Query, Reply
from tests.e2e.gallery_setting import on_s3_vectors
from tests.e2e.local_stack import PATIENCE_SECONDS, ROOT

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

STAGE = "api"


class LambdaApi(Api):
    def carry(self, method: str, path: str, query: Query, content_type: str | None, body: bytes | None) -> Reply:
        headers = {"Host": "abcdefghij.execute-api.eu-central-1.amazonaws.com", "X-Forwarded-Proto": "https"}
        if content_type is not None:
            headers["Content-Type"] = content_type
        # Convert to JSON and back, as Lambda does.
        sent = json.loads(json.dumps(event(method, path, query, headers, body)))
        reply = json.loads(json.dumps(self.handle(sent)))
        assert not reply.get("isBase64Encoded")
        assert not reply["multiValueHeaders"]
        # API Gateway's default when the function sets no content type.
        answered = {"content-type": "application/json", **{key.lower(): text for key, text in reply["headers"].items()}}
        return Reply(reply["statusCode"], answered, reply["body"])

    def handle(self, sent: dict[str, Any]) -> Any:
        """Call the function with an event, in this process."""
        return app.app(sent, context())


def health() -> dict[str, Any]:
    """Return the event of a request for /health."""
    return event("GET", "/health", [], {"Host": "abcdefghij.execute-api.eu-central-1.amazonaws.com"}, None)


def event(method: str, path: str, query: Query, headers: dict[str, str], body: bytes | None) -> dict[str, Any]:
    """Return a request's event; the body is base64 for the only media type registered as binary, otherwise text.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
    """
    resource, parameters = _route(path)
    values: dict[str, list[str]] = {}
    for name, value in query:
        values.setdefault(name, []).append(value)
    binary = headers.get("Content-Type", "").startswith("multipart/form-data")
    encoded = None if body is None else base64.b64encode(body).decode() if binary else body.decode(errors="replace")
    return {
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": {name: given[-1] for name, given in values.items()} or None,
        "multiValueQueryStringParameters": values or None,
        "pathParameters": parameters or None,
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abcdefghij",
            "httpMethod": method,
            "identity": {"sourceIp": "192.0.2.1", "userAgent": "tests"},
            "path": f"/{STAGE}{path}",
            "protocol": "HTTP/1.1",
            "requestId": str(uuid4()),
            "resourceId": "abc123",
            "resourcePath": resource,
            "stage": STAGE,
        },
        "body": encoded,
        "isBase64Encoded": binary and body is not None,
    }


def _route(path: str) -> tuple[str, dict[str, str]]:
    """Return the resource that matches a path, and the values of its parameters."""
    parts = path.split("/")
    for resource in app.app.routes:
        pattern = resource.split("/")
        pairs = list(zip(pattern, parts, strict=False))
        if len(parts) == len(pattern) and all(part == given or part.startswith("{") for part, given in pairs):
            return resource, {part[1:-1]: given for part, given in pairs if part.startswith("{")}
    return path, {}


def context(remaining_milliseconds: int = 29_000) -> Any:
    return SimpleNamespace(
        aws_request_id=str(uuid4()),
        function_name="face-search-api",
        memory_limit_in_mb="1024",
        get_remaining_time_in_millis=lambda: remaining_milliseconds,
    )


@contextmanager
def handler(table: str, bucket: str, database_url: str, gallery: str = "") -> Iterator[LambdaApi]:
    """Point the environment to the stores and build a new service, as a new container does.

    The vector bucket, if any, has the bucket's name. Without `gallery`, the environment's GALLERY applies.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)  # the model pack's folder is relative to it
        patch.setenv("TOKENS_TABLE", table)
        patch.setenv("CROPS_BUCKET", bucket)
        patch.setenv("DATABASE_URL", database_url)
        patch.setenv("SEGMENTS", "s3")
        if gallery:
            patch.setenv("GALLERY", gallery)
        patch.setenv("VECTOR_BUCKET", bucket)
        patch.setenv("REQUEST_SECONDS", PATIENCE_SECONDS)
        if on_s3_vectors():
            resources.create_vector_bucket(sdk.client("s3vectors"), bucket)
        wiring.reset()
        yield LambdaApi()
        wiring.reset()


@contextmanager
def lasting_handler(
    dynamodb: DynamoDBClient, s3: S3Client, database_url: str, gallery: str = ""
) -> Iterator[LambdaApi]:
    """The handler, with its own stores that several tests share."""
    name = f"face-search-{secrets.token_hex(8)}"
    resources.create(RESOURCES_FILE, dynamodb, s3, table_name=name, bucket_name=name)
    with handler(name, name, database_url, gallery) as api:
        operations.migrate(wiring.wiring())
        yield api
