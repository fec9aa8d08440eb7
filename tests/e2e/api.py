"""A client of the HTTP API, independent of how requests are transported."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from urllib3 import encode_multipart_formdata

from tests.specification.conformance import assert_documented

Query = Sequence[tuple[str, str]]
Part = tuple[str, bytes | str]
"""A field of a form: bytes are sent as a file, text as a value."""


@dataclass(frozen=True)
class Reply:
    """A reply; `headers` has lower-case names."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)


class Api(ABC):
    """Sends requests, and checks every reply against the OpenAPI document.

    `get` and `post` send any request; the methods named after a use case also expect success.
    """

    def __init__(self) -> None:
        self._added: set[str] = set()

    def send(
        self, method: str, path: str, query: Query = (), content_type: str | None = None, body: bytes | None = None
    ) -> Reply:
        reply = self.carry(method, path, query, content_type, body)
        assert_documented(method, path, reply.status, reply.headers, reply.text)
        return reply

    @abstractmethod
    def carry(self, method: str, path: str, query: Query, content_type: str | None, body: bytes | None) -> Reply:
        """Send a request to the service and return its reply."""

    def get(self, path: str, *query: tuple[str, str], **arguments: str) -> Reply:
        return self.send("GET", path, [*query, *arguments.items()])

    def post(self, path: str, *parts: Part, query: Query = (), **fields: bytes | str) -> Reply:
        content_type, body = form(*parts, *fields.items())
        return self.send("POST", path, query, content_type, body)

    def post_json(self, path: str, members: Mapping[str, Any]) -> Reply:
        return self.send("POST", path, content_type="application/json", body=json.dumps(members).encode())

    def put(self, path: str, **fields: str) -> Reply:
        content_type, body = form(*fields.items())
        return self.send("PUT", path, content_type=content_type, body=body)

    def detect(self, picture: bytes) -> list[dict[str, Any]]:
        faces: list[dict[str, Any]] = _succeeded(self.post("/detect", image_file=picture))["faces"]
        return faces

    def token(self, picture: bytes) -> str:
        """Return the token of the only face of a picture."""
        [face] = self.detect(picture)
        return str(face["face_token"])

    def added(self, picture: bytes, name: str, **arguments: str) -> str:
        """Add the only face of a picture to the face set; return its token."""
        token = self.token(picture)
        self.add(token, face_name=name, **arguments)
        return token

    def add(self, token: str, **arguments: str) -> dict[str, Any]:
        body = _succeeded(self.get("/addface", face_token=token, **arguments))
        self._added.add(token)
        return body

    def remove(self, token: str) -> dict[str, Any]:
        return _succeeded(self.get("/removeface", face_token=token))

    def search(self, token: str, threshold: str = "0.65", **arguments: str) -> dict[str, Any]:
        return _succeeded(self.get("/search", face_token=token, threshold=threshold, **arguments))

    def search_picture(self, picture: bytes, threshold: str = "0.65", **arguments: str) -> dict[str, Any]:
        fields = {"threshold": threshold, **arguments}
        return _succeeded(self.post("/search", ("image_file", picture), *fields.items()))

    @contextmanager
    def on_an_empty_face_set(self) -> Iterator[None]:
        """Check that no face is known; after the block, remove the faces and face sets added in it."""
        assert self.get("/info").body["faces"] == 0
        yield
        for token in self._added:
            self.get("/removeface", face_token=token)
        self._added.clear()
        for counted in self.get("/face_sets").body["face_sets"]:
            self.send("DELETE", f"/face_sets/{counted['face_set']}")

    def remove_everything(self) -> None:
        """Remove all faces and face sets, those that other clients added too."""
        for name in [known["face_set"] for known in self.get("/face_sets").body["face_sets"]]:
            while faces := self.get("/faces", face_set=name).body["faces"]:
                for face in faces:
                    self.remove(face["face_token"])
            if name != "default":
                self.send("DELETE", f"/face_sets/{name}")


def form(*parts: Part) -> tuple[str, bytes]:
    """Return the content type and the body of a multipart form."""
    body, content_type = encode_multipart_formdata(
        [(name, ("picture", value, "image/jpeg") if isinstance(value, bytes) else value) for name, value in parts]
    )
    return content_type, body


def tokens(result: dict[str, Any]) -> list[str]:
    return [match["face_token"] for match in result["cmp_result"]]


def names(result: dict[str, Any]) -> list[str]:
    return [match["face_name"] for match in result["cmp_result"]]


def distances(result: dict[str, Any]) -> list[float]:
    return [match["distant"] for match in result["cmp_result"]]


def _succeeded(reply: Reply) -> dict[str, Any]:
    assert reply.status == 200, reply.text
    body: dict[str, Any] = reply.body
    return body
