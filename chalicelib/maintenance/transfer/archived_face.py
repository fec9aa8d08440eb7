"""Converts a face to and from its line in an archive: JSON with all that the service stores about the face."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from chalicelib import faces, times
from chalicelib.faces import Embedding, Landmarks
from chalicelib.images import decoding
from chalicelib.names import kept
from chalicelib.stores.aws.crops import Crop
from chalicelib.stores.embedding_bytes import from_bytes, to_bytes

# Fits the longest line: a crop of the largest size, a vector of 2,048 numbers and an escaped name.
MAX_LINE_BYTES = 512 * 1024
# Twice the size of 320 x 320 px of noise at the quality of saved crops.
MAX_CROP_BYTES = 320 * 1024
# Landmarks may lie outside the crop, but no face is larger than a picture.
FARTHEST_LANDMARK_PX = 4096.0
# The longest name that the published contract allows, in characters.
MAX_NAME_CHARACTERS = 255

_FACE_SET = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9_.-]{1,64}", re.ASCII)
_DETECTOR_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_TIME = "%Y-%m-%dT%H:%M:%SZ"
# The first and the last second of the years 1 to 9999, in seconds since 1970.
EARLIEST, LATEST = -62_135_596_800, 253_402_300_799


@dataclass(frozen=True, slots=True)
class ArchivedFace:
    """A face of an archive. `added_at` is in seconds since 1970. The crop's name is not archived."""

    token: str
    name: str
    face_set: str
    added_at: int
    embedding: Embedding
    crop: Crop


def to_line(face: ArchivedFace) -> bytes:
    """Return the face as one line of JSON, with a line end."""
    landmarks = face.crop.landmarks
    record = {
        "face_token": face.token,
        "face_name": face.name,
        "face_set": face.face_set,
        "added_at": times.as_text(face.added_at),
        "embedding": base64.b64encode(to_bytes(face.embedding)).decode(),
        "crop": base64.b64encode(face.crop.jpeg).decode(),
        # Rounded to a hundredth of a pixel, as in the crop's metadata.
        "landmarks": None if landmarks is None else [[round(float(x), 2), round(float(y), 2)] for x, y in landmarks],
        "detector_id": face.crop.detector_id,
    }
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"


def from_line(line: bytes, dimension: int) -> ArchivedFace:
    """Parse and check a line; return its face. Unknown fields are ignored.

    Raises
    ------
    ValueError
        When a field is not valid; the message names the field but not its value.
    """
    record = _record(line)
    token, name, face_set = (_text(record, field) for field in ("face_token", "face_name", "face_set"))
    face = ArchivedFace(token, name, face_set, _added_at(record), _embedding(record, dimension), _crop(record))
    check(face, dimension)
    return replace(face, name=kept(name))


def check(face: ArchivedFace, dimension: int) -> None:
    """Check that an import accepts a face. Exports leave out other faces.

    Raises
    ------
    ValueError
        When a field is not valid; the message names the field but not its value.
    """
    name, crop = face.name, face.crop
    _expect(faces.is_token(face.token), "face_token must be 24 letters and digits")
    _expect(0 < len(name) <= MAX_NAME_CHARACTERS and _is_unicode(name), "face_name must have 1 to 255 characters")
    _expect(_FACE_SET.fullmatch(face.face_set) is not None, "face_set must have 1 to 64 letters, digits, _, . and -")
    _expect(EARLIEST <= face.added_at <= LATEST, "added_at must be in the years 1 to 9999")
    _expect(len(face.embedding) == dimension, f"embedding must be {dimension} numbers of 4 bytes")
    _expect(bool(np.isfinite(face.embedding).all()), "embedding must be finite")
    _expect(len(crop.jpeg) <= MAX_CROP_BYTES, f"crop must have at most {MAX_CROP_BYTES} bytes")
    _expect(decoding.is_crop(crop.jpeg), f"crop must be a whole JPEG of at most {decoding.MAX_CROP_SIDE_PX} px a side")
    _expect(
        crop.landmarks is None or bool((np.abs(crop.landmarks) <= FARTHEST_LANDMARK_PX).all()),  # False for NaN
        "landmarks must be null or five points of the crop",
    )
    _expect(
        crop.detector_id is None or _DETECTOR_ID.fullmatch(crop.detector_id) is not None,
        "detector_id must be null or 1 to 64 letters, digits, _, . and -",
    )


def _record(line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise ValueError("the line is not a JSON object")
    return record


def _embedding(record: dict[str, Any], dimension: int) -> Embedding:
    data = _bytes(record, "embedding")
    _expect(len(data) == dimension * 4, f"embedding must be {dimension} numbers of 4 bytes")
    return from_bytes(data)


def _crop(record: dict[str, Any]) -> Crop:
    detector_id = record.get("detector_id")
    _expect(detector_id is None or isinstance(detector_id, str), "detector_id must be null or a string")
    return Crop("", _bytes(record, "crop"), _landmarks(record.get("landmarks")), detector_id)


def _landmarks(value: Any) -> Landmarks | None:
    if value is None:
        return None
    _expect(
        isinstance(value, list)
        and len(value) == 5
        and all(isinstance(point, list) and len(point) == 2 for point in value)
        # Checked before the conversion to float32, which fails for some numbers.
        and all(
            type(number) in (int, float) and abs(number) <= FARTHEST_LANDMARK_PX for point in value for number in point
        ),
        "landmarks must be null or five points of the crop",
    )
    return np.array(value, np.float32)


def _added_at(record: dict[str, Any]) -> int:
    try:
        return int(datetime.strptime(_text(record, "added_at"), _TIME).replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise ValueError("added_at must be a time such as 2026-11-26T03:00:00Z") from None


def _bytes(record: dict[str, Any], field: str) -> bytes:
    try:
        return base64.b64decode(_text(record, field), validate=True)
    except ValueError:
        raise ValueError(f"{field} must be base64") from None


def _text(record: dict[str, Any], field: str) -> str:
    value = record.get(field)
    if not isinstance(value, str):
        raise ValueError(f"{field} must be a string")
    return value


def _is_unicode(text: str) -> bool:
    """Return whether the text has no lone surrogates, which JSON allows but databases cannot store."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _expect(fulfilled: bool, otherwise: str) -> None:
    if not fulfilled:
        raise ValueError(otherwise)
