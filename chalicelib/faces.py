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
"""Height x width x 3, RGB, upright."""

Landmarks = NDArray[np.float32]
"""5 x 2, [x, y] in pixels of the image, whole numbers being the centres of pixels: both eyes, the nose, both corners of
the mouth, left before right as seen in the image."""

Embedding = NDArray[np.float32]
"""One face's calibrated embedding; the Euclidean distance of two is the `distant` of the HTTP contract."""

# The number and the name of the face set that always exists.
DEFAULT_SET_ID, DEFAULT_SET = 1, "default"
# The distance that the HTTP contract names.
REFERENCE_THRESHOLD = 0.65
# Who is added without a name.
DEFAULT_NAME = "unknown"

TOKEN_LENGTH = 24
T = TypeVar("T")

_TOKEN_ALPHABET = string.ascii_letters + string.digits
_TOKEN = re.compile(rf"[A-Za-z0-9]{{{TOKEN_LENGTH}}}", re.ASCII)


def new_token() -> str:
    """Return 24 letters and digits from the system's randomness (143 bits): unique without asking anyone."""
    return "".join(secrets.choice(_TOKEN_ALPHABET) for _ in range(TOKEN_LENGTH))


def is_token(text: str) -> bool:
    return _TOKEN.fullmatch(text) is not None


class Box(NamedTuple):
    """A rectangle by its edges, in pixels of the upright image: pixel i covers [i, i + 1); x to the right, y down."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def area(self) -> float:
        return (self.right - self.left) * (self.bottom - self.top)


class DetectedFace(NamedTuple):
    """A face in an image. `confidence` is the detector's probability that it is one."""

    box: Box
    landmarks: Landmarks
    confidence: float


class Found(list[T]):
    """What an image shows, the largest first; `truncated` when it may show more."""

    def __init__(self, faces: Iterable[T], *, truncated: bool) -> None:
        super().__init__(faces)
        self.truncated = truncated


class Quality(NamedTuple):
    """How well a face can be recognised.

    `size` is the box's shorter side in pixels of the image; `sharpness` and `brightness` are from 0 to 1; `yaw`,
    `pitch` and `roll` are in degrees: 0 looks at the camera, positive to the right of the picture, up and clockwise.
    `recognisability` is the share of LFW's faces that the model recognises less well, in percent; None where the model
    has no such measure.
    """

    size: float
    sharpness: float
    brightness: float
    yaw: float
    pitch: float
    roll: float
    recognisability: float | None = None


class TemporaryFace(NamedTuple):
    """A detected face as it is kept under its token until it expires.

    `crop` is the name of its picture under the temporary prefix; `expires_at` is in seconds since 1970; `poor_because`
    says, a sentence each, what makes it hard to recognise.
    """

    token: str
    embedding: Embedding
    embedding_id: str
    crop: str
    expires_at: int
    poor_because: tuple[str, ...] = ()


class KnownFace(NamedTuple):
    """A known face. `crop` is its picture's name under the permanent prefix, `set_id` the number of its face set."""

    token: str
    name: str
    embedding: Embedding
    embedding_id: str
    crop: str
    set_id: int = DEFAULT_SET_ID


class Terms(NamedTuple):
    """What a search returns.

    `threshold` is the largest Euclidean distance, `limit` the most results, `set_id` the number of the face set, and
    `without` the token of a face to leave out. With `by_person`, each person comes once, as their nearest face.
    """

    threshold: float
    limit: int
    set_id: int = DEFAULT_SET_ID
    without: str | None = None
    by_person: bool = False


class Match(NamedTuple):
    """A known face and its distance from the face that was searched for.

    `faces` is set where it stands for a person: how many of their faces are within the threshold.
    """

    token: str
    name: str
    distance: float
    faces: int | None = None


class SearchResult(NamedTuple):
    """Matches, nearest first; `truncated` when more faces are within the threshold than were asked for."""

    matches: list[Match]
    truncated: bool
