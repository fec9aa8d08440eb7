"""Describes HEAD: the reply of GET without the body."""

from __future__ import annotations

from typing import Any

from chalicelib.api.openapi import failures

# GETs that change something. They have no HEAD, because HEAD must be safe (RFC 9110, 9.2.1).
CHANGING = ("add_face", "remove_face")


def with_heads(paths: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the paths with a HEAD beside each GET that only reads."""
    return {
        path: {**operations, "head": _head(operations["get"])}
        if "get" in operations and operations["get"]["operationId"] not in CHANGING
        else operations
        for path, operations in paths.items()
    }


def _head(get: dict[str, Any]) -> dict[str, Any]:
    replies = {status: failures.SHARED.get(status, reply) for status, reply in get["responses"].items()}
    return {
        **get,
        "operationId": f"head_{get['operationId']}",
        "summary": f"{get['summary']} (headers only)",
        "responses": {
            status: {name: part for name, part in reply.items() if name in ("description", "headers")}
            for status, reply in replies.items()
        },
    }
