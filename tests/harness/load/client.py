"""A client that adds, renames, removes and searches for its own faces, and checks every answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np
import requests

from tests.e2e.api import Reply
from tests.e2e.pictures import Pixels, astronaut_pixels, brightened, jpeg, scaled
from tests.harness.load.journal import Journal, Search
from tests.harness.load.timed_api import Latencies, TimedApi

TILE_SCALE = 0.4
# Larger than the distance between any two faces.
EVERYONE = "10"
# The tolerance of distances, as they are written in replies.
ROUNDING = 1e-6
UNKNOWN = "0" * 24
MOST_FACES = 6

Box = tuple[float, ...]


class Wrong(Exception):  # noqa: N818  # an answer, not an error
    """An answer is wrong."""


@dataclass(slots=True)
class Own:
    """A face that the client has detected, and its name after its addition."""

    token: str
    box: Box
    name: str = ""


@dataclass
class Client:
    """Sends requests until `run` returns at the end of the time; `wrong` then has the errors.

    Without errors, the client continues until it has searched for at least `least_writes` of its own writes.
    """

    number: int
    ports: list[int]
    seed: int
    journal: Journal
    least_writes: int = 0
    latencies: Latencies = field(default_factory=Latencies)
    wrong: list[str] = field(default_factory=list)
    checks: int = 0
    own_writes: int = 0

    def __post_init__(self) -> None:
        self._random = Random(f"{self.seed}/{self.number}")
        self._apis = [TimedApi(port, self.latencies) for port in self.ports]
        self._picture = jpeg(_group(self._random))
        # Tokens of faces that are never added; searches for the face in the same box use them.
        self._probes: dict[Box, str] = {}
        self._detected: list[Own] = []
        self._known: list[Own] = []
        self._distances: dict[tuple[Box, str], float] = {}
        self._names = 0

    def run(self, until: float) -> None:
        """Send requests one after another until a time of `time.perf_counter`."""
        try:
            self._attempt(self._detect)
            self._probes = {own.box: own.token for own in self._detected}
            self._detected = []
            while self._probes and (time.perf_counter() < until or self._owes_writes()):
                self._attempt(self._next())
        finally:
            for api in self._apis:
                api.session.close()

    def _owes_writes(self) -> bool:
        return self.own_writes < self.least_writes and not self.wrong

    def _next(self) -> Callable[[], None]:
        if not self._detected:
            return self._detect
        if not self._known:
            return self._add
        change = self._add if len(self._known) < self._random.uniform(0, MOST_FACES) else self._remove
        steps = {
            change: 30,
            self._rename: 12,
            self._search: 30,
            self._search_picture: 2,
            self._list: 8,
            self._compare: 8,
            self._info: 3,
            self._mistake: 7,
        }
        return self._random.choices(list(steps), list(steps.values()))[0]

    def _attempt(self, step: Callable[[], None]) -> None:
        try:
            step()
        except (Wrong, AssertionError, requests.RequestException) as error:
            self.wrong.append(f"client {self.number}, {step.__name__.strip('_')}: {error or type(error).__name__}")

    def _detect(self) -> None:
        faces = self._body(self._api.post("/detect", image_file=self._picture))["faces"]
        self._detected = [Own(face["face_token"], (*face["top_left"], *face["bottom_right"])) for face in faces]
        self._check(bool(faces), "no face was detected")
        if self._probes:
            boxes = {own.box for own in self._detected}
            self._check(boxes == self._probes.keys(), f"{boxes} are detected, {self._probes.keys()} were")

    def _add(self) -> None:
        own, name = self._detected.pop(), self._new_name()
        with self.journal.change(own.token, name):
            self._body(self._api.post("/addface", face_token=own.token, face_name=name))
        own.name = name
        self._known.append(own)
        self._see(own)

    def _rename(self) -> None:
        own, name = self._random.choice(self._known), self._new_name()
        with self.journal.change(own.token, name):
            if self._random.random() < 0.5:
                self._body(self._api.put(f"/faces/{own.token}", face_name=name))
            else:
                self._body(self._api.get("/addface", face_token=own.token, face_name=name))
        own.name = name
        self._see(own)
        body = self._body(self._api.get(f"/faces/{own.token}"))
        self._check(body["face_name"] == name, f"{own.token} is {body['face_name']!r}, not {name!r}")

    def _remove(self) -> None:
        own = self._known.pop(self._random.randrange(len(self._known)))
        with self.journal.change(own.token, None):
            self._body(self._api.get("/removeface", face_token=own.token))
        found = {match["face_token"] for match in self._find(own.box, "0.01")}
        self.own_writes += 1
        self._check(own.token not in found, f"{own.token} is found after its removal")
        self._refused(self._api.get("/search", face_token=own.token, threshold="1"), 404, "1006")

    def _see(self, own: Own) -> None:
        """Check that any process knows the client's last change, which was of this face."""
        found = {match["face_token"]: match for match in self._find(own.box, "0.01")}
        self.own_writes += 1
        match = found.get(own.token)
        self._check(match is not None, f"{own.token} is not found after its change")
        if match is not None:
            seen = match["face_name"], match["distance"]
            self._check(seen == (own.name, 0.0), f"{own.token} is {seen}, not {own.name!r} at 0")

    def _search(self) -> None:
        threshold = self._random.choice([EVERYONE, "0.65", "0.5", "0.3", "0.1"])
        self._find(self._random.choice(list(self._probes)), threshold)

    def _find(self, box: Box, threshold: str) -> list[dict[str, Any]]:
        """Search by the token of the face in a box, and check the answer against the journal."""
        asked = time.perf_counter()
        body = self._body(self._api.get("/search", face_token=self._probes[box], threshold=threshold))
        search = Search(body["cmp_result"], asked, time.perf_counter())
        self._check_matches(search, threshold)
        missing = self._nearer_than(box, float(threshold), search) - {m["face_token"] for m in search.matches}
        self._check(not missing, f"{missing} are within {threshold}, but not found")
        for match in search.matches:
            before = self._distances.setdefault((box, match["face_token"]), match["distance"])
            self._check(abs(match["distance"] - before) <= ROUNDING, f"a distance changed from {before}: {match}")
        return list(search.matches)

    def _nearer_than(self, box: Box, threshold: float, search: Search) -> set[str]:
        """Return the faces known all the time, with a known distance within the threshold."""
        near = {token for (of, token), d in list(self._distances.items()) if of == box and d < threshold - ROUNDING}
        return {token for token in near if None not in self.journal.possible(token, search.asked, search.answered)}

    def _search_picture(self) -> None:
        asked = time.perf_counter()
        body = self._body(self._api.post("/search", ("image_file", self._picture), ("threshold", EVERYONE)))
        self._check_matches(Search(body["cmp_result"], asked, time.perf_counter()), EVERYONE)

    def _check_matches(self, search: Search, threshold: str) -> None:
        faults = self.journal.faults(search, complete=threshold == EVERYONE)
        self._check(not faults, "; ".join(faults))
        distances = [match["distance"] for match in search.matches]
        self._check(distances == sorted(distances), "matches are not nearest first")
        self._check(not distances or distances[-1] <= float(threshold), f"{distances[-1:]} is beyond {threshold}")

    def _list(self) -> None:
        """List the client's own faces page by page; no other client changes them."""
        listed: dict[str, str] = {}
        cursor: dict[str, str] = {}
        while True:
            body = self._body(self._api.get("/faces", name=f"{self.number}-", limit="4", **cursor))
            listed |= {face["face_token"]: face["face_name"] for face in body["faces"]}
            if body["next_cursor"] is None:
                break
            cursor = {"cursor": body["next_cursor"]}
        own = {own.token: own.name for own in self._known}
        self._check(listed == own, f"{listed} are listed, not {own}")

    def _compare(self) -> None:
        own = self._random.choice(self._known)
        box = self._random.choice(list(self._probes))
        asked = [("face_token1", self._probes[box]), ("face_token2", own.token)]
        self._random.shuffle(asked)
        distance = self._body(self._api.post("/compare", query=asked))["distance"]
        expected = 0.0 if box == own.box else self._distances.get((box, own.token), distance)
        self._check(abs(distance - expected) <= ROUNDING, f"{distance} between faces that are {expected} apart")

    def _info(self) -> None:
        asked = time.perf_counter()
        faces = self._body(self._api.get("/info"))["faces"]
        least, most = self.journal.count(asked, time.perf_counter())
        self._check(least <= faces <= most, f"{faces} faces, not {least} to {most}")

    def _mistake(self) -> None:
        api, probe = self._api, next(iter(self._probes.values()))
        mistakes: list[tuple[Callable[[], Reply], int, str]] = [
            (lambda: api.get("/search", face_token=UNKNOWN, threshold="1"), 404, "1006"),
            (lambda: api.get("/addface", face_token=UNKNOWN), 404, "1006"),
            (lambda: api.get("/removeface", face_token=UNKNOWN), 404, "1006"),
            (lambda: api.get("/search", face_token=probe), 400, "1002"),
            (lambda: api.get("/search", face_token=probe, threshold="near"), 400, "1001"),
            (lambda: api.post("/detect", image_file=self._picture[:2000]), 400, "1004"),
            (lambda: api.get("/search", face_token=probe, threshold="1", face_set="nobody"), 404, "1001"),
        ]
        ask, status, code = self._random.choice(mistakes)
        self._refused(ask(), status, code)

    @property
    def _api(self) -> TimedApi:
        return self._random.choice(self._apis)

    def _new_name(self) -> str:
        self._names += 1
        return f"{self.number}-{self._names}"

    def _body(self, reply: Reply) -> dict[str, Any]:
        self._check(reply.status == 200, f"{reply.status}: {reply.text}")
        if reply.status != 200:
            raise Wrong("given up")
        body: dict[str, Any] = reply.body
        return body

    def _refused(self, reply: Reply, status: int, code: str) -> None:
        right = reply.status == status and reply.body["error_code"] == code
        self._check(right, f"not {status} and {code}, but {reply.status}: {reply.text}")

    def _check(self, right: bool, otherwise: str) -> None:
        self.checks += 1
        if not right:
            raise Wrong(otherwise)


def _group(random: Random) -> Pixels:
    """Draw four faces, with a brightness that no other client's faces have."""
    tile = scaled(astronaut_pixels(), TILE_SCALE)
    tiles = [brightened(np.roll(tile, random.randrange(20), axis=1), random.uniform(0.6, 1.3)) for _ in range(4)]
    return np.asarray(np.vstack([np.hstack(tiles[:2]), np.hstack(tiles[2:])]), np.uint8)
