"""Names the people in a picture with the typed client: `python generated_client.py picture.jpg`.

The client comes from the service's own description:

openapi-python-client generate --url http://localhost:8000/openapi.json --config docs/python-client.yaml --meta none
"""

from __future__ import annotations

import os
import sys
import time
from io import BytesIO
from pathlib import Path

import httpx
from face_search_client import AuthenticatedClient
from face_search_client.api.search import identify
from face_search_client.models import Error, IdentifyFilesBody
from face_search_client.types import File

MAX_TRIES = 4
MAX_WAIT_SECONDS = 20


class Patient(httpx.HTTPTransport):
    """Repeats a request while the service is busy."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        for tried in range(1, MAX_TRIES):
            reply = super().handle_request(request)
            if reply.status_code not in (429, 503):
                return reply
            reply.close()
            seconds = reply.headers.get("retry-after", "")
            time.sleep(min(int(seconds) if seconds.isdecimal() else 2 ** (tried - 1), MAX_WAIT_SECONDS))
        return super().handle_request(request)


client = AuthenticatedClient(
    base_url=os.environ.get("FACE_SEARCH_URL", "http://localhost:8000"),
    token=os.environ.get("FACE_SEARCH_KEY", ""),
    prefix="",
    auth_header_name="x-api-key",
    timeout=httpx.Timeout(60),
    httpx_args={"transport": Patient()},
)
picture = File(payload=BytesIO(Path(sys.argv[1]).read_bytes()), file_name="picture.jpg")
try:
    reply = identify.sync(client=client, body=IdentifyFilesBody(image_file=picture, limit=1))
except httpx.TransportError as error:
    sys.exit(f"The service cannot be reached: {error}")
if reply is None or isinstance(reply, Error):
    sys.exit(f"{reply.error_code}: {reply.detail}" if reply else "The service sent no reply of its own.")
for face in reply.faces:
    print(face.matches[0].face_name if face.matches else "unknown")
