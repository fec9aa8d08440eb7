"""Requests to S3 that run in parallel keep the deadline of the request that they belong to."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from chalicelib import deadline
from chalicelib.stores.aws.crops import Crop, CropStore

CROPS = [Crop(f"{number}.jpg", b"jpeg", np.zeros((5, 2), np.float32)) for number in range(3)]


class Client:
    """Notes how long each request may wait."""

    exceptions = SimpleNamespace(NoSuchKey=KeyError)

    def __init__(self) -> None:
        self.left: list[float] = []

    def put_object(self, **_: Any) -> None:
        self.left.append(deadline.shortened(1_000))

    def get_object(self, **_: Any) -> dict[str, Any]:
        self.left.append(deadline.shortened(1_000))
        return {"Body": io.BytesIO(b"jpeg"), "Metadata": {}}


@pytest.mark.parametrize("work", ["save_temporary", "save", "read_many"])
def test_the_deadline_holds_in_other_threads(work: str) -> None:
    client = Client()
    argument = [crop.name for crop in CROPS] if work == "read_many" else CROPS

    with deadline.within(60):
        getattr(CropStore(cast(Any, client), "bucket"), work)(argument)

    assert len(client.left) == len(CROPS)
    assert max(client.left) <= 60
