"""Sends a sample of the hostile pictures over HTTP."""

from __future__ import annotations

import pytest

from tests.e2e.http_api import HttpApi
from tests.harness.hostile.pictures.judge import KINDS, case

SEED = 20261127
EACH = 2


@pytest.mark.filterwarnings("ignore")  # from Pillow, about the pictures that it reads
@pytest.mark.parametrize("kind", range(len(KINDS)), ids=[kind.__name__ for kind in KINDS])
def test_it_is_read_or_refused(sqlite_api: HttpApi, kind: int) -> None:
    for turn in range(EACH):
        one = case(SEED, kind + turn * len(KINDS))
        reply = sqlite_api.post("/detect", image_file=one.file)

        if not one.file:
            assert (reply.status, reply.body["error_code"]) == (400, "1002")
        elif reply.status == 200:
            assert one.taken, one.kind
            if one.shows is not None:
                height, width, _ = one.shows.shape
                corners = [face[corner] for face in reply.body["faces"] for corner in ("top_left", "bottom_right")]
                assert all(0 <= x <= width and 0 <= y <= height for x, y in corners)
        else:
            assert (reply.status in one.refusals, reply.body["error_code"]) == (True, "1004"), one.kind
