"""Collects which faces a request added, removed or identified, to announce them once the request is done.

A happening has tokens and the name of a face set, and neither names of people nor embeddings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum
from typing import NamedTuple


class Kind(Enum):
    """What happened, as the event's `detail-type` says."""

    ADDED = "Face added"
    REMOVED = "Face removed"
    IDENTIFIED = "Face identified"


class Happening(NamedTuple):
    """Something that happened to faces of one face set.

    `tokens` are the added or removed faces, or the faces of an identified picture. `nearest` maps the latter to the
    nearest known face within the threshold, where there is one.
    """

    kind: Kind
    face_set: str
    tokens: Sequence[str]
    nearest: Mapping[str, str] = {}


_collected: ContextVar[list[Happening] | None] = ContextVar("happenings", default=None)


def note(happening: Happening) -> None:
    """Note what happened; call this after the commit. Happenings without tokens are left out."""
    collected = _collected.get()
    if collected is not None and happening.tokens:
        collected.append(happening)


@contextmanager
def collecting() -> Iterator[list[Happening]]:
    """Yield a list that collects what this thread notes in the block."""
    happenings: list[Happening] = []
    token = _collected.set(happenings)
    try:
        yield happenings
    finally:
        _collected.reset(token)
