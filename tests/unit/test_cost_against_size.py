"""No input costs more CPU time than so much for each byte and each pixel, whatever it repeats."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

import pytest

from chalicelib.api import request_event
from chalicelib.api.arguments import Arguments
from chalicelib.api.bodies import read_body
from chalicelib.api.fields import MAX_GROUPED_FACES
from chalicelib.errors import ServiceError
from chalicelib.images import decoding, exif
from chalicelib.settings import CONTRACT_IMAGE_BYTES
from tests.harness.hostile.cost import jpegs, pngs
from tests.harness.hostile.cost.costly import Costly, filled
from tests.harness.hostile.cost.exifs import exifs
from tests.harness.hostile.cost.forms import forms

# Several times what the worst takes on a slow core. What grows faster than the input takes hundreds of times as much.
SECONDS, SECONDS_A_BYTE, SECONDS_A_PIXEL = 0.5, 4e-6, 0.6e-6

# What API Gateway takes.
MAX_REQUEST_BYTES = 10 * 1024 * 1024

Measured = tuple[str, Callable[[], object], int, int]


def _too_costly(inputs: Iterable[Measured]) -> Iterator[str]:
    """Name each input that takes too much of this process's CPU time: its name, its work, its bytes and its pixels."""
    for name, work, size, pixels in inputs:
        most = SECONDS + size * SECONDS_A_BYTE + pixels * SECONDS_A_PIXEL
        started = time.process_time()
        with suppress(ServiceError):
            work()
        taken = time.process_time() - started
        if taken > most:
            yield f"{name}: {taken:.1f} s for {size} bytes and {pixels} pixels"


@pytest.mark.parametrize(
    "pictures", [jpegs.segments, jpegs.gaps, jpegs.scans, jpegs.restarts, pngs.chunks, pngs.compressed_data]
)
def test_pictures(pictures: Callable[[], Iterable[Costly]]) -> None:
    too_large = []

    def inputs() -> Iterator[Measured]:
        for one in pictures():
            if len(one.data) > CONTRACT_IMAGE_BYTES:
                too_large.append(one.name)
            yield one.name, lambda data=one.data: decoding.decode(data), len(one.data), one.pixels  # type: ignore[misc]

    assert list(_too_costly(inputs())) == []
    assert too_large == []  # such a file is refused before anything is tried


def test_pictures_of_too_many_bytes() -> None:
    files = [filled(one.data, b"\0", b"", MAX_REQUEST_BYTES) for one in jpegs.gaps()]
    inputs = (("", lambda data=data: decoding.decode(data), len(data), 0) for data in files)

    assert list(_too_costly(inputs)) == []


def test_exif_data() -> None:
    inputs = ((one.name, lambda data=one.data: exif.orientation(data), len(one.data), 0) for one in exifs())

    assert list(_too_costly(inputs)) == []


def test_forms() -> None:
    inputs = (
        (one.name, lambda one=one: _read(one.body, one.content_type), len(one.body) + len(one.content_type), 0)
        for one in forms()
    )

    assert list(_too_costly(inputs)) == []


def test_events_with_nested_json() -> None:
    nested: object = "x"
    for _ in range(100_000):
        nested = {"a": [nested]}
    context = {"resourcePath": "/detect", "httpMethod": "POST"}
    fields = ("headers", "multiValueQueryStringParameters", "pathParameters", "stageVariables", "body")
    inputs = (
        (
            field,
            lambda field=field: request_event.whole({"requestContext": context, field: nested}, {"/detect": {}}),
            1_000_000,
            0,
        )
        for field in fields
    )

    assert list(_too_costly(inputs)) == []


def test_what_takes_longer_is_found() -> None:
    """The bound can fail."""

    def work() -> None:
        until = time.process_time() + 1.1 * SECONDS
        while time.process_time() < until:
            pass

    assert list(_too_costly([("work", work, 0, 0)]))
    assert not list(_too_costly([("work", work, 0, int(3 * SECONDS / SECONDS_A_PIXEL))]))


def _read(body: bytes, content_type: str) -> None:
    arguments = Arguments({}, read_body(body, content_type, pictures=2, listed=MAX_GROUPED_FACES))
    for getter in (
        *(arguments.image, arguments.token, arguments.threshold, arguments.terms, arguments.name, arguments.new_name),
        arguments.tokens,
        *(arguments.part, arguments.face_set, arguments.page_limit, arguments.after, arguments.refuse_poor),
    ):
        with suppress(ServiceError):
            getter()
