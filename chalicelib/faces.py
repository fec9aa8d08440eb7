"""The values that pass between the parts of the service."""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Iterable
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""Height x width x 3, uint8, RGB, upright."""

Landmarks = NDArray[np.float32]
"""5 x 2, float32, [x, y] in pixels of the image; whole numbers are the centres of pixels.

The points are both eyes, the nose and both corners of the mouth, left before right as seen in the image.
"""

Embedding = NDArray[np.float32]
"""One face's calibrated embedding; the HTTP contract's `distant` is the Euclidean distance of two embeddings."""

# The number and name of the face set that always exists.
DEFAULT_SET_ID, DEFAULT_SET = 1, "default"
# The HTTP contract's reference distance.
REFERENCE_THRESHOLD = 0.65
# The name of faces that are added without one.
DEFAULT_NAME = "unknown"

TOKEN_LENGTH = 24
T = TypeVar("T")

_TOKEN_ALPHABET = string.ascii_letters + string.digits
_TOKEN = re.compile(rf"[A-Za-z0-9]{{{TOKEN_LENGTH}}}", re.ASCII)


def new_token() -> str:
    """Return 24 random letters and digits from the operating system (143 bits), unique without asking a store."""
    return "".join(secrets.choice(_TOKEN_ALPHABET) for _ in range(TOKEN_LENGTH))


def is_token(text: str) -> bool:
    return _TOKEN.fullmatch(text) is not None


class Box(NamedTuple):
    """A rectangle's edges in pixels of the upright image: pixel i covers [i, i + 1), x points right, y down."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def area(self) -> float:
        return (self.right - self.left) * (self.bottom - self.top)


class DetectedFace(NamedTuple):
    """A face in an image. `confidence` is the detector's probability that it is a face."""

    box: Box
    landmarks: Landmarks
    confidence: float


class Found(list[T]):
    """The faces found in an image, largest first; `truncated` if the image may show more."""

    def __init__(self, faces: Iterable[T], *, truncated: bool) -> None:
        super().__init__(faces)
        self.truncated = truncated


class Quality(NamedTuple):
    """How well a face can be recognised.

    `size` is the box's shorter side in pixels of the image. `sharpness` and `brightness` are from 0 to 1. `yaw`,
    `pitch` and `roll` are in degrees: a face at 0 looks at the camera, and positive values turn it to the right of the
    picture, up and clockwise. `recognisability` is the share of LFW's faces that the model recognises less well, in
    percent; None if the model does not measure it.
    """

    size: float
    sharpness: float
    brightness: float
    yaw: float
    pitch: float
    roll: float
    recognisability: float | None = None


class TemporaryFace(NamedTuple):
    """A detected face, stored under its token until the token expires.

    `crop` is the name of its picture under the temporary prefix. `expires_at` is in seconds since 1970. `poor_because`
    gives the reasons why the face is hard to recognise, one sentence each.
    """

    token: str
    embedding: Embedding
    embedding_id: str
    crop: str
    expires_at: int
    poor_because: tuple[str, ...] = ()


class KnownFace(NamedTuple):
    """A known face.

    `crop` is the name of its picture under the permanent prefix, `set_id` the number of its face set.
    """

    token: str
    name: str
    embedding: Embedding
    embedding_id: str
    crop: str
    set_id: int = DEFAULT_SET_ID


class Terms(NamedTuple):
    """The options of a search.

    `threshold` is the largest Euclidean distance, `limit` the most results, `set_id` the number of the face set, and
    `without` the token of a face to leave out. With `by_person`, each person appears once, with their nearest face.
    """

    threshold: float
    limit: int
    set_id: int = DEFAULT_SET_ID
    without: str | None = None
    by_person: bool = False


class Match(NamedTuple):
    """A known face and its distance from the probe face.

    If the match stands for a person, `faces` is the number of their faces within the threshold; otherwise None.
    """

    token: str
    name: str
    distance: float
    faces: int | None = None


class SearchResult(NamedTuple):
    """Matches, nearest first; `truncated` if more matches than the limit are within the threshold."""

    matches: list[Match]
    truncated: bool
