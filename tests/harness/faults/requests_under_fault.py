"""The requests sent while a store fails, and their effects after an answer of 200."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.e2e import pictures
from tests.e2e.api import Api, Reply

FACE_SET = "doomed"
# The largest number of requests until one is answered correctly, after the fault.
MAX_REQUESTS_UNTIL_HEALED = 3


@dataclass
class Faces:
    """The faces of a round: one only detected, two in the default face set, and one in another."""

    detected: str
    removed: str
    kept: str
    in_set: str

    @classmethod
    def prepared(cls, api: Api) -> Faces:
        api.send("POST", "/face_sets", [("face_set", FACE_SET)])
        return cls(
            api.token(pictures.drawing()),
            api.added(pictures.drawing(), "Ada"),
            api.added(pictures.drawing(), "Grace"),
            api.added(pictures.drawing(), "Hedy", face_set=FACE_SET),
        )


REQUESTS: dict[str, Callable[[Api, Faces], Reply]] = {
    "detect": lambda api, _: api.post("/detect", image_file=pictures.two_faces()),
    "search": lambda api, faces: api.get("/search", face_token=faces.kept, threshold="0.65"),
    "search_picture": lambda api, _: api.post("/search", image_file=pictures.drawing(), threshold="0.65"),
    "addface": lambda api, faces: api.get("/addface", face_token=faces.detected, face_name="Mary"),
    "rename": lambda api, faces: api.send("PUT", f"/faces/{faces.kept}", [("face_name", "Radia")]),
    "removeface": lambda api, faces: api.get("/removeface", face_token=faces.removed),
    "delete_set": lambda api, _: api.send("DELETE", f"/face_sets/{FACE_SET}"),
    "faces": lambda api, _: api.get("/faces"),
    "info": lambda api, _: api.get("/info"),
}
NAMES = tuple(REQUESTS)
# The requests that need each store; all other requests succeed while that store fails. A removal looks up the
# detected face under its token first.
NEED = {
    "mysql": set(NAMES) - {"detect"},
    "dynamodb": {"detect", "search_picture", "addface", "removeface", "delete_set"},
    "s3": {"detect", "search_picture", "addface", "removeface", "delete_set"},
}


class Answered(NamedTuple):
    status: int
    seconds: float


@dataclass
class Outcome:
    """The outcome of a fault: each request's answer, and errors."""

    answers: dict[str, Answered] = field(default_factory=dict)
    healed_after: int = 0
    orphans: int = 0
    wrong: list[str] = field(default_factory=list)
    lost: int = 0
    resurrected: int = 0

    @property
    def failed(self) -> bool:
        return bool(self.wrong or self.lost or self.resurrected)


def timed(api: Api, name: str, faces: Faces) -> tuple[Reply, float]:
    started = time.monotonic()
    reply = REQUESTS[name](api, faces)
    return reply, time.monotonic() - started


def dishonest(name: str, reply: Reply) -> list[str]:
    """Return the errors of an answer under a fault, which must be 200, or 503 with Retry-After."""
    if reply.status == 200:
        return []
    told = (reply.status, reply.body.get("error_code"), reply.headers.get("retry-after"))
    return [] if told == (503, "1003", "2") else [f"{name} was answered {told}: {reply.text[:200]}"]


def done_before(name: str, reply: Reply) -> bool:
    """Return whether a repetition's answer shows that the first attempt succeeded but lost its answer."""
    return reply.status == 404 and name in ("removeface", "delete_set")
