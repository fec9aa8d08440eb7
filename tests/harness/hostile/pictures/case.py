"""A generated file, and the results that are allowed for it."""

from __future__ import annotations

from dataclasses import dataclass, field

from numpy.random import Generator

from chalicelib.faces import Image

Rng = Generator
# Pillow's conversion from CMYK is brighter by one.
OTHER_DECODER_TOLERANCE = 2.0
BROKEN = frozenset({400})
OTHER_TYPE = frozenset({415})


@dataclass(frozen=True, slots=True)
class Case:
    """A file and its allowed results. `refusals` are the allowed statuses of 1004; none if the file must be accepted.

    `shows` is the upright picture that an accepted file must decode to, within a mean `tolerance`. If it is None and
    `taken` is true, another decoder provides the picture.
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
    """Return a file with a flaw without a checksum: it may be refused, or read as another decoder reads it."""
    return Case(kind, file, tolerance=OTHER_DECODER_TOLERANCE, taken=True, refusals=BROKEN)
