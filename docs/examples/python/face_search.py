"""A small client of the face search service: one function, with time limits and retries."""

from __future__ import annotations

import os
import time
from typing import Any

import requests

URL = os.environ.get("FACE_SEARCH_URL", "http://localhost:8000").rstrip("/")
# Only a deployed service needs a key.
HEADERS = {"x-api-key": os.environ.get("FACE_SEARCH_KEY", "")}
# API Gateway answers within 29 s.
TIMEOUT_SECONDS = 60
MAX_TRIES = 4
MAX_WAIT_SECONDS = 20


class FaceSearchError(Exception):
    """A request failed. `code` is one of the service's codes, such as 1006, or else the HTTP status."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code


def call(method: str, path: str, picture: bytes | None = None, **arguments: object) -> Any:
    """Send a request and return its reply. If the service is busy, repeat it: every request is safe to repeat."""
    sent: dict[str, Any] = {"params": arguments} if method in ("GET", "DELETE") else {"data": arguments}
    if picture is not None:
        sent["files"] = {"image_file": picture}
    for tried in range(1, MAX_TRIES + 1):
        try:
            reply = requests.request(method, URL + path, headers=HEADERS, timeout=TIMEOUT_SECONDS, **sent)
        except requests.RequestException as error:
            raise FaceSearchError("no reply", str(error)) from error
        if reply.status_code not in (429, 503) or tried == MAX_TRIES:
            break
        time.sleep(wait_seconds(reply.headers.get("Retry-After", ""), tried))
    try:
        body = reply.json()
    except ValueError:
        body = {}
    if not reply.ok:
        detail = body.get("detail") or body.get("message") or reply.reason
        raise FaceSearchError(body.get("error_code", str(reply.status_code)), detail)
    return body


def wait_seconds(retry_after: str, tried: int) -> float:
    """Return the time in Retry-After; without one, 1, 2, 4 seconds."""
    seconds = int(retry_after) if retry_after.isdecimal() else 2 ** (tried - 1)
    return min(seconds, MAX_WAIT_SECONDS)
