"""Adds many people with one picture."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from tests import pictures
from tests.browser.console import WAIT_MILLISECONDS
from tests.e2e.http_api import HttpApi

FACE_PX = 256
FACES_PER_PICTURE = 16


def add_people(api: HttpApi, names: Sequence[str], **arguments: str) -> list[str]:
    """Add a face for each name; return their tokens."""
    face = pictures.scaled(pictures.astronaut(), FACE_PX, FACE_PX)
    rows = np.hstack([face] * 4)
    tokens = []
    for start in range(0, len(names), FACES_PER_PICTURE):
        detected = api.detect(pictures.jpeg(np.vstack([rows] * 4)))
        assert len(detected) == FACES_PER_PICTURE
        for name, face_found in zip(names[start : start + FACES_PER_PICTURE], detected, strict=False):
            tokens.append(str(face_found["face_token"]))
            api.add(tokens[-1], face_name=name, **arguments)
    return tokens


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for an effect of the page on the service."""
    end = time.monotonic() + WAIT_MILLISECONDS / 1000
    while not holds():
        assert time.monotonic() < end, "it never held"
        time.sleep(0.05)
