"""Answers the requests of a Rekognition client, because moto does not know collections.

botocore's description of Rekognition checks the requests and the replies.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.validate import ParamValidator

# Two pages of ListFaces: ExternalImageId by NextToken.
PAGES = {"": ["Eileen_Collins", "Ada_Lovelace"], "next": ["Grace_Hopper", "Eileen_Collins"]}
FACE = "11111111-2222-3333-4444-555555555555"


class Rekognition:
    """A collection. `known` has the people by their pictures, or None for a picture without a face."""

    def __init__(self, known: dict[bytes, str | None]) -> None:
        self._known = known
        self._model = botocore.session.get_session().get_service_model("rekognition")

    def answer(self, operation: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        described = self._model.operation_model(operation)
        status, reply = getattr(self, xform_name(operation))(request)
        checked = [(request, described.input_shape)]
        if status == 200:
            checked.append((reply, described.output_shape))
        for members, shape in checked:
            assert shape is not None
            assert not ParamValidator().validate(members, shape).has_errors(), members
        return status, reply

    def list_faces(self, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        page = request.get("NextToken", "")
        following = {} if page else {"NextToken": "next"}
        faces = [_face(person) for person in PAGES[page]]
        return 200, {"Faces": faces, "FaceModelVersion": "7.0", **following}

    def search_faces_by_image(self, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        person = self._known.get(base64.b64decode(request["Image"]["Bytes"]), "")
        if person is None:
            return 400, {"__type": "InvalidParameterException", "Message": "There are no faces in the image."}
        matches = [{"Similarity": 99.9, "Face": _face(person)}] if person else []
        return 200, {"FaceMatches": matches, "FaceModelVersion": "7.0", "SearchedFaceConfidence": 99.9}


def _face(person: str) -> dict[str, Any]:
    return {"FaceId": FACE, "ImageId": FACE, "ExternalImageId": person, "Confidence": 99.9}


@contextmanager
def rekognition(known: dict[bytes, str | None]) -> Iterator[str]:
    """Yield the URL of a stand-in for Rekognition."""
    collection = Rekognition(known)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            operation = self.headers["X-Amz-Target"].removeprefix("RekognitionService.")
            status, reply = collection.answer(operation, body)
            data = json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
