"""Reads the service's answers and checks them."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from chalicelib import errors
from chalicelib.api import response_headers

TIMEOUT_SECONDS = 60
ERROR_FIELDS = {"sucess", "success", "error_code", "error_msg", "detail"}
# Text that would appear in a reply with internal details.
_INTERNALS = re.compile(
    r"Traceback|File \"|Error\(|Exception|chalice|moto|sqlite|mysql|SELECT |INSERT |site-packages|\.py\b|0x[0-9a-f]{8}",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Answer:
    """An answer; `headers` has lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def exchange(port: int, data: bytes, *, has_body: bool = True) -> tuple[list[Answer], bytes]:
    """Send bytes on a new connection and close it; return the answers, and received bytes that are not an answer."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as connection:
        received = bytearray()
        with suppress(OSError):  # the service may refuse the request before its end
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):
            while more := connection.recv(65536):
                received += more
    answers: list[Answer] = []
    rest = bytes(received)
    while match := re.match(rb"HTTP/1\.1 (\d{3}) [^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n", rest):
        lines = match[2].decode("latin-1").splitlines()
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        status, length = int(match[1]), int(headers.get("content-length", 0))
        rest = rest[match.end() :]
        size = length if has_body or answers else 0
        if status != 100:
            answers.append(Answer(status, headers, rest[:size]))
        rest = rest[size:]
    return answers, rest


def faults(answer: Answer, *, has_body: bool = True) -> list[str]:
    """Return the errors of an answer that do not depend on its request."""
    found = [] if 200 <= answer.status < 500 else [f"status {answer.status}"]
    for name, value in response_headers.ALWAYS.items():
        if name != "Cache-Control" and answer.headers.get(name.lower()) != value:
            found.append(f"{name} is {answer.headers.get(name.lower())}")
    if not answer.headers.get("cache-control"):
        found.append("no Cache-Control")
    found += [f"header {name}" for name in answer.headers if name.startswith("access-control")]
    return found + (_error_faults(answer) if answer.status >= 400 and has_body else [])


def _error_faults(answer: Answer) -> list[str]:
    try:
        body = json.loads(answer.body)
    except ValueError:
        return [f"no JSON: {answer.body[:100]!r}"]
    if not isinstance(body, dict) or body.keys() != ERROR_FIELDS:
        return [f"another shape: {answer.body[:200]!r}"]
    found = []
    if answer.headers.get("content-type") != "application/json":
        found.append(f"content type {answer.headers.get('content-type')}")
    if body["sucess"] is not False or errors.MESSAGES.get(body["error_code"]) != body["error_msg"]:
        found.append(f"another error: {body}")
    if internals := _INTERNALS.search(body["detail"]):
        found.append(f"tells {internals[0]!r}")
    return found
