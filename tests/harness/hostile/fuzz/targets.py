"""The fuzz targets. Each takes any bytes, and fails unless they are read or refused as in the contract."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Set
from typing import TypeVar

import numpy as np

from chalicelib.api import arguments, bodies
from chalicelib.errors import ServiceError
from chalicelib.images import decoding, png
from chalicelib.settings import CONTRACT_SIDE_PX
from tests.harness.hostile.pictures.judge import case

Result = TypeVar("Result")

SEEDS = 48
SEED = 20261126
BOUNDARY = b"boundary"


def picture(data: bytes) -> None:
    """Check that `decoding.decode` returns upright RGB within the limits or raises 1004.

    PNGs are also decoded with corrected checksums.
    """
    for file in {data, _with_right_checksums(data)}:
        image = _unless_refused({"1004"}, decoding.decode, file)
        if image is not None:
            assert image.dtype == np.uint8
            assert image.ndim == 3
            assert image.shape[2] == 3
            assert all(decoding.MIN_SIDE_PX <= side <= CONTRACT_SIDE_PX for side in image.shape[:2])


def body(data: bytes) -> None:
    """Check `bodies.read_body`, then every kind of argument; the first line is the content type."""
    content_type, _, content = data.partition(b"\n")
    parts = _unless_refused({"1004", "1005"}, bodies.read_body, content, content_type.decode("latin-1"), 2)
    if parts is None:
        return
    most = bodies.MAX_JSON_COMMAS + 1 if b"json" in content_type.lower() else bodies.MAX_FORM_PARTS
    assert sum(len(values) for values in parts.values()) <= most
    texts = [value for values in parts.values() for value in values if value != bodies.NOT_TEXT]
    assert sum(map(len, texts)) <= len(content)
    given = arguments.Arguments({}, parts)
    for getter in (
        *(given.image, given.token, given.tokens, given.threshold, given.terms, given.name),
        *(given.after, given.face_set),
    ):
        _unless_refused({"1001", "1002"}, getter)
    for number in (1, 2):
        _unless_refused({"1001", "1002"}, given.compared, number)


def pictures() -> list[bytes]:
    """Return initial files: whole and broken ones of every kind."""
    return [case(SEED, number).file for number in range(SEEDS)]


def bodies_of_requests() -> list[bytes]:
    """Return initial content types and bodies."""
    text = b"application/x-www-form-urlencoded\nimage_base64=/9j%2F%2b&threshold=.5&face_name=Zo%C3%AB+A"
    json = (
        b'application/json; charset=utf-8\n{"image_base64_1": "data:;base64,/9j_-w==", "threshold": 6.5e-1, '
        b'"limit": 5, "face_name": "Zo\\u00eb", "face_token": ["a"], "x": {"a": [null, true]}}'
    )
    first = b"multipart/form-data; boundary=" + BOUNDARY + b"\n"
    fields = [
        (b'name="image_file"; filename="a.jpg"', b"\xff\xd8\xff" + bytes(20)),
        (b'name="threshold"', b"0.65"),
        (b"name=face_token; filename*=UTF-8''a", b"aB3" * 8),
        (b'name="face_name"', "Zoë".encode()),
        (b'name="limit"', b"10"),
        (b'name="cursor"', b"AAAA"),
    ]
    parts = [b"--%b\r\nContent-Disposition: form-data; %b\r\n\r\n%b\r\n" % (BOUNDARY, *field) for field in fields]
    end = b"--" + BOUNDARY + b"--\r\n"
    whole = first + b"".join(parts) + end
    twice, newlines = first + parts[0] + parts[0] + end, whole.replace(b"\r\n", b"\n")
    return [whole, twice, first + end, whole[:-20], newlines, text, json, json[:-20]]


def _unless_refused(codes: Set[str], function: Callable[..., Result], *arguments: object) -> Result | None:
    """Return a function's result; None when it raises a `ServiceError` with one of the codes."""
    try:
        return function(*arguments)
    except ServiceError as error:
        if error.code in codes:
            return None
        raise


def _with_right_checksums(data: bytes) -> bytes:
    """Return a PNG with corrected checksums; return other data unchanged."""
    file, position = bytearray(data), len(png.SIGNATURE)
    while data.startswith(png.SIGNATURE) and position + 12 <= len(data):
        end = position + 8 + int.from_bytes(data[position : position + 4])
        if end + 4 > len(data):
            break
        file[end : end + 4] = zlib.crc32(data[position + 4 : end]).to_bytes(4)
        position = end + 4
    return bytes(file)


TARGETS = {"picture": (picture, pictures), "body": (body, bodies_of_requests)}
