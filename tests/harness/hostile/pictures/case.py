"""One generated file, and what the service may make of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from numpy.random import Generator

from chalicelib.faces import Image

Rng = Generator
# Pillow's CMYK comes out brighter by one.
OTHER_DECODER_TOLERANCE = 2.0
BROKEN = frozenset({400})
OTHER_TYPE = frozenset({415})


@dataclass(frozen=True, slots=True)
class Case:
    """`refusals` are the statuses of 1004 that are right; none when the file must be taken.

    `shows` is the picture, upright, that must be had from the file, within a mean `tolerance`, if it may be taken.
    Where it is None, and `taken` true, another decoder says what the file shows.
    """

    kind: str
    file: bytes
    shows: Image | None = field(default=None, repr=False)
    tolerance: float = 0.0
    taken: bool = False
    refusals: frozenset[int] = frozenset()


def whole(kind: str, file: bytes, shows: Image, tolerance: float) -> Case:
    return Case(kind, file, shows, tolerance, taken=True)


def refused(kind: str, file: bytes, statuses: frozenset[int] = BROKEN) -> Case:
    return Case(kind, file, refusals=statuses)


def either(kind: str, file: bytes) -> Case:
    """A file with a flaw that no checksum guards: refused, or read as another decoder reads it."""
    return Case(kind, file, tolerance=OTHER_DECODER_TOLERANCE, taken=True, refusals=BROKEN)
