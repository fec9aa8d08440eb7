"""Asks a version of the API's function whether it answers, as API Gateway would."""

from __future__ import annotations

import json
from typing import Any

# A request for GET /health. It needs no store, so it passes before the database has the version's schema.
REQUEST: dict[str, Any] = {
    "resource": "/health",
    "path": "/health",
    "httpMethod": "GET",
    "headers": None,
    "multiValueHeaders": None,
    "queryStringParameters": None,
    "multiValueQueryStringParameters": None,
    "pathParameters": None,
    "stageVariables": None,
    "requestContext": {
        "httpMethod": "GET",
        "identity": {"sourceIp": "127.0.0.1"},
        "path": "/health",
        "requestId": "smoke-test",
        "resourcePath": "/health",
        "stage": "api",
    },
    "body": None,
    "isBase64Encoded": False,
}


def failure(client: Any, function: str) -> str | None:
    """Invoke a function; return why it does not work, or None when it answers 200.

    Parameters
    ----------
    client
        A client of Lambda.
    function
        An ARN of a version, or a function's name with a version or an alias, like `name:live`.

    Raises
    ------
    botocore.exceptions.ClientError
        When Lambda refuses the invocation.
    """
    answer = client.invoke(FunctionName=function, Payload=json.dumps(REQUEST))
    body = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        return f"GET /health ended with {body.get('errorType', 'an error')}"
    status = body.get("statusCode") if isinstance(body, dict) else None
    return None if status == 200 else f"GET /health was answered with the status {status}"
