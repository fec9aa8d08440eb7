"""A walk through a running service: a drawn face is detected, added, found and removed, and requests are timed."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import cv2
import numpy as np
import urllib3

from infra.deploy.errors import DeployError
from infra.local import sample_face

# Beside the clients' face sets, and deleted at the end.
FACE_SET, NAME = "smoke-test", "Smoke Test"
PICTURE_PX = (640, 480)
# Longer than API Gateway waits for the function.
TIMEOUT_SECONDS = 35
# A face and itself have the distance 0.
THRESHOLD = "1"
Fields = Mapping[str, str | tuple[str, bytes, str]]


def picture() -> bytes:
    """Return the sample face as a JPEG of 640 x 480 pixels, the size of the costs' and the scaling's figures."""
    drawn = sample_face.draw()
    width, height = PICTURE_PX
    side = (width - drawn.shape[1]) // 2
    wide = cv2.copyMakeBorder(drawn, 0, height - drawn.shape[0], side, side, cv2.BORDER_REPLICATE)
    _, encoded = cv2.imencode(".jpg", np.ascontiguousarray(wide[:, :, ::-1]))
    return encoded.tobytes()


class Service:
    """A running service. `sent` counts the requests, and `milliseconds` has their times by route, as a client sees it.

    Parameters
    ----------
    headers
        What proves who calls, such as x-api-key.
    """

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self.url = url.rstrip("/")
        self.sent = 0
        self.milliseconds: dict[str, list[float]] = {}
        self._headers = dict(headers)
        self._pool = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(TIMEOUT_SECONDS))

    def call(self, method: str, path: str, fields: Fields | None = None, **query: str) -> dict[str, Any]:
        """Send a request; return the reply's JSON.

        Raises
        ------
        DeployError
            When there is no reply, or its status is not 200.
        """
        address = f"{self.url}{path}{'?' if query else ''}{urlencode(query)}"
        started = time.perf_counter()
        try:
            reply = self._pool.request(method, address, fields=fields, headers=self._headers)
        except urllib3.exceptions.HTTPError as error:
            raise DeployError(f"{method} {path} was not answered: {type(error).__name__}") from error
        taken = 1000 * (time.perf_counter() - started)
        self.sent += 1
        self.milliseconds.setdefault(f"{method} {path}", []).append(taken)
        text = reply.data.decode(errors="replace")
        if reply.status != 200:
            raise DeployError(f"{method} {path} was answered {reply.status}: {text[:200]}")
        answer: dict[str, Any] = json.loads(text)
        return answer


def walk(service: Service, repeats: int) -> None:
    """Walk through the service, and repeat the requests with a picture so that they can be timed.

    Raises
    ------
    DeployError
        When a request fails or has a wrong answer. The face set of the walk is deleted in any case.
    """
    service.call("GET", "/health")
    service.call("POST", "/face_sets", {"face_set": FACE_SET})
    try:
        _use_a_face(service, repeats)
    finally:
        service.call("DELETE", f"/face_sets/{FACE_SET}")


def _use_a_face(service: Service, repeats: int) -> None:
    image = {"image_file": ("face.jpg", picture(), "image/jpeg")}
    for _ in range(repeats):
        faces = service.call("POST", "/detect", image)["faces"]
    _expect(len(faces) == 1, f"/detect found {len(faces)} faces in a picture of one")
    token = faces[0]["face_token"]
    service.call("POST", "/addface", {"face_token": token, "face_name": NAME, "face_set": FACE_SET})
    for _ in range(repeats):
        found = _search(service, image)
    _expect(found == [token], "/search did not find the face that was just added")
    service.call("POST", "/removeface", {"face_token": token})
    _expect(_search(service, image) == [], "/search found a face that was just removed")


def _search(service: Service, image: Fields) -> list[str]:
    fields = {**image, "threshold": THRESHOLD, "face_set": FACE_SET}
    return [match["face_token"] for match in service.call("POST", "/search", fields)["cmp_result"]]


def _expect(right: bool, otherwise: str) -> None:
    if not right:
        raise DeployError(otherwise)
