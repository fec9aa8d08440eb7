"""The deployed service's output contains no name, token, embedding or picture."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from chalicelib import wiring
from chalicelib.faces import Embedding, Image, Landmarks
from chalicelib.vision.embedder import Embedder
from tests.e2e import pictures
from tests.e2e.api import Query, Reply
from tests.e2e.grouped import Groups
from tests.e2e.invocation_log import PICTURES, messages, told
from tests.e2e.lambda_api import LambdaApi
from tests.e2e.refusals import Refusals
from tests.e2e.walk import Walk


class Listener(LambdaApi):
    """Forwards requests, and remembers the tokens and names in requests and replies."""

    def __init__(self, api: LambdaApi) -> None:
        super().__init__()
        self._api = api
        self.texts: set[str] = set()

    def carry(self, method: str, path: str, query: Query, content_type: str | None, body: bytes | None) -> Reply:
        self.texts |= {value for name, value in query if name in ("face_token", "face_name")}
        reply = self._api.carry(method, path, query, content_type, body)
        self._remember(reply.body)
        return reply

    def _remember(self, value: Any) -> None:
        if isinstance(value, list):
            for item in value:
                self._remember(item)
        elif isinstance(value, dict):
            names = ("face_token", "face_name", "face_neme")
            self.texts |= {text for name, text in value.items() if name in names and text != "unknown"}
            self._remember(list(value.values()))


@pytest.fixture
def heard(
    observed_handler: LambdaApi,
    on_lambda: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Listener]:
    """The handler at its most verbose log level; after the test, all its output is searched."""
    embeddings: list[Embedding] = []
    embed = Embedder.embed

    def remembered(self: Embedder, image: Image, landmarks: list[Landmarks]) -> Any:
        made = embed(self, image, landmarks)
        embeddings.extend(made)
        return made

    monkeypatch.setattr(Embedder, "embed", remembered)
    wiring.wiring()
    logging.getLogger("chalicelib").setLevel(logging.DEBUG)
    listener = Listener(observed_handler)
    with listener.on_an_empty_face_set():
        yield listener
    output = "".join(capsys.readouterr())
    assert messages(output)
    assert told(output, listener.texts, embeddings) == []


class TestNothingIsToldOfAWalk(Walk, Groups):
    smoke_only = True

    @pytest.fixture
    def api(self, heard: Listener) -> Listener:
        return heard


class TestNothingIsToldOfRefusals(Refusals):
    @pytest.fixture
    def api(self, heard: Listener) -> Listener:
        return heard


class TestTheSearch:
    """The search finds personal data in any encoding."""

    EMBEDDING = np.random.default_rng(0).standard_normal(128).astype(np.float32)
    TOKEN = "c4yAQ8ZAaT3oRXVWk1FfNnSv"

    @pytest.mark.parametrize(
        "leak",
        [
            TOKEN,
            "Zoë",
            json.dumps("Zoë"),
            "Zo%C3%AB",
            str(EMBEDDING.tolist()),
            f"[{EMBEDDING[0]:.6f}]",
            repr(EMBEDDING.tobytes()),
            EMBEDDING.tobytes().hex(),
            base64.b64encode(EMBEDDING.tobytes()).decode(),
            base64.b64encode(b"x" + EMBEDDING.tobytes()).decode(),
            base64.b64encode(b"xx" + EMBEDDING.tobytes()).decode(),
            repr(pictures.drawing()[:40]),
            pictures.drawing()[:40].hex(),
            base64.b64encode(pictures.drawing()).decode(),
            pictures.astronaut()[:40].decode("utf-8", "replace"),
            *PICTURES,
        ],
    )
    def test_a_leak_is_found(self, leak: str) -> None:
        assert told(f'{{"message": "{leak}"}}', [self.TOKEN, "Zoë"], [self.EMBEDDING])
