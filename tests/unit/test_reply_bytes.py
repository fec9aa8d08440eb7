"""Replies stay within Lambda's size limit and say if anything was left out for it."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import simplejson  # type: ignore[import-untyped]
from awslambdaric.lambda_runtime_marshaller import Encoder  # type: ignore[import-untyped]
from chalice.app import Response
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.api import fields, replies
from chalicelib.api.reply_bytes import MAX_LIST_BYTES, MAX_PAYLOAD_BYTES, as_text, fitting, payload_bytes
from chalicelib.faces import Box, DetectedFace, Found, Match, Quality, SearchResult, new_token
from chalicelib.names import MAX_NAME_CHARACTERS
from chalicelib.service import cursors
from chalicelib.service.face_service import SavedFace, Searched
from chalicelib.service.known_faces import Page
from chalicelib.stores.face_set.face_listing import ListedFace
from chalicelib.stores.face_set.face_set_names import MAX_FACE_SETS, CountedFaceSet
from chalicelib.vision import quality
from chalicelib.vision.detector import MAX_FACES
from tests.packs import dlib_pack

# The largest characters, each for a different reason: escaped once, twice, as a surrogate pair, in three bytes.
DEAREST = ("a", '"', "\\", "\x01", "\x7f", "é", "中", "\u2028", "😀")


def sent(body: Any) -> int:
    """Return the bytes that AWS's runtime client sends for this body under Python 3.11, the largest form."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_EXECUTION_ENV", "AWS_Lambda_python3.11")
        return len(
            Encoder().encode(Response(as_text(body), {"X": "y" * 1000}).to_dict(["multipart/form-data"])).encode()
        )


@given(st.text())
def test_a_body_is_counted_in_the_runtime_clients_bytes(text: str) -> None:
    assert payload_bytes(text) == len(simplejson.dumps(text))
    assert payload_bytes(text) >= len(simplejson.dumps(text, ensure_ascii=False).encode(errors="surrogatepass"))


@given(st.lists(st.text()))
def test_the_longest_part_of_a_list_that_fits_is_returned(texts: list[str]) -> None:
    items = [{"face_name": text} for text in texts]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chalicelib.api.reply_bytes.MAX_LIST_BYTES", 200)
        fit = fitting(items)

    assert payload_bytes(as_text(items[:fit])) <= 200
    assert fit == len(items) or payload_bytes(as_text(items[: fit + 1])) > 200


@pytest.mark.parametrize("character", DEAREST)
def test_ten_thousand_matches_with_the_longest_names(character: str) -> None:
    name = character * MAX_NAME_CHARACTERS
    matches = [Match(new_token(), name, 0.1 + i / 3e5, faces=10_000) for i in range(fields.MAX_RESULTS)]
    reply = replies.found(Searched(new_token(), SearchResult(matches, truncated=False), dlib_pack().thresholds), "0.65")

    given = reply["cmp_result"]
    assert sent(reply) <= MAX_PAYLOAD_BYTES
    assert [match["face_token"] for match in given] == [match.token for match in matches[: len(given)]]
    assert reply["truncated"] is (len(given) < len(matches))
    if reply["truncated"]:  # and no more than necessary was left out
        assert sent(reply) > MAX_PAYLOAD_BYTES - 80_000
    assert json.loads(as_text(reply))["cmp_result"][0]["face_name"] == name


def test_the_count_limit_and_the_byte_limit_together() -> None:
    """A result truncated by the count limit stays truncated, whether or not the byte limit cuts it too."""
    for name, fits in (("Ada", True), ("😀" * 255, False)):
        matches = [Match(new_token(), name, 0.5)] * 10_000
        for truncated in (False, True):
            reply = replies.found(Searched(new_token(), SearchResult(matches, truncated), ()), "1")
            assert (len(reply["cmp_result"]) == 10_000) is fits
            assert reply["truncated"] is (truncated or not fits)


def test_pages_cut_by_the_byte_limit_continue_without_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    faces = [ListedFace(i, new_token(), "😀" * 255, "default", 0, "") for i in range(1, 101)]
    monkeypatch.setattr("chalicelib.api.reply_bytes.MAX_LIST_BYTES", 100_000)
    seen: list[str] = []
    after: int | None = 0
    while after is not None:
        following = [face for face in faces if face.id > after]
        limited = following[:60]
        more = len(following) > 60
        reply = replies.listed(Page(limited, cursors.encode(limited[-1].id) if more else None))
        assert 0 < len(reply["faces"]) < 60
        seen += [face["face_token"] for face in reply["faces"]]
        [after] = (None,) if reply["next_cursor"] is None else cursors.decode(reply["next_cursor"]) or (None,)

    assert seen == [face.token for face in faces]


@pytest.mark.parametrize("character", DEAREST)
def test_the_largest_page_of_a_list_fits(character: str) -> None:
    name = character * MAX_NAME_CHARACTERS
    faces = [ListedFace(2**62, new_token(), name, "s" * 64, 2**35, "")] * fields.MAX_PAGE_FACES
    reply = replies.listed(Page(faces, None))

    assert len(reply["faces"]) == fields.MAX_PAGE_FACES
    assert sent(reply) <= MAX_PAYLOAD_BYTES


def test_the_largest_detection_fits() -> None:
    worst = Quality(4095.123456789012, -0.12345678901234567, 0.91234567890123456, -89.12345678901234, -41.5, -179.3)
    assert len(quality.reasons(worst._replace(size=1.0, pitch=-41.5))) >= 4
    landmarks = np.full((5, 2), 4095.12345, np.float32)
    face = DetectedFace(Box(*[1234.123456789012] * 4), landmarks, 0.9912345678901234)
    saved = SavedFace(new_token(), "f" * 41, face, worst._replace(size=1.123456789012345))
    reply = replies.detected(Found([saved] * MAX_FACES, truncated=True))

    assert sent(reply) <= MAX_LIST_BYTES


def test_all_face_sets_fit() -> None:
    assert sent(replies.face_sets([CountedFaceSet("s" * 64, 2**40)] * MAX_FACE_SETS)) <= MAX_LIST_BYTES


def test_non_ascii_text_is_not_escaped() -> None:
    text = as_text(replies.success(face_neme="José 😀"))

    assert "José 😀" in text
    assert all(a != "\\" for a, _ in pairwise(text))
