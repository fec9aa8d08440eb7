"""The audit log: a line for each request, with the caller, the action, the face set, the face tokens and the outcome.

A line has no name, embedding or picture. Tokens are written for this purpose only: other lines have none. Only a
deployed service writes the lines, and only with the setting AUDIT, which a stage turns on with AuditLogDays.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from chalicelib.settings import SettingsError, current_settings
from chalicelib.telemetry import logs

MESSAGE = "audited"
# In one line, as CloudWatch limits a line's length. The tokens of larger requests follow in further lines.
MOST_TOKENS = 1_000

log = logging.getLogger(__name__)
# LOG_LEVEL must not silence the audit log.
log.setLevel(logging.INFO)


class Trail:
    """The face set and the tokens that a request named, created or removed."""

    def __init__(self) -> None:
        self.face_set: str | None = None
        self.tokens: dict[str, None] = {}  # in order, each once


_trail: ContextVar[Trail | None] = ContextVar("trail", default=None)


def touched(tokens: Iterable[str]) -> None:
    """Record tokens that the current request concerns."""
    if trail := _trail.get():
        trail.tokens |= dict.fromkeys(tokens)


def in_face_set(name: str) -> None:
    """Record the face set that the current request concerns."""
    if trail := _trail.get():
        trail.face_set = name


@contextmanager
def following() -> Iterator[Trail]:
    """Yield a trail that records what this thread does in the block."""
    trail = Trail()
    token = _trail.set(trail)
    try:
        yield trail
    finally:
        _trail.reset(token)


def write(trail: Trail, *, caller: str | None, action: str, status: int, error_code: str | None) -> None:
    """Write the lines of a request that was answered."""
    if not _is_on():
        return
    facts = {"caller": caller, "action": action, "face_set": trail.face_set, "status": status, "error_code": error_code}
    tokens = list(trail.tokens)
    for start in range(0, max(len(tokens), 1), MOST_TOKENS):
        log.info(MESSAGE, extra={**facts, "face_tokens": tokens[start : start + MOST_TOKENS]})


def _is_on() -> bool:
    try:
        return logs.on_lambda() and current_settings().audit
    except SettingsError:  # requests that need settings report the error themselves
        return False
