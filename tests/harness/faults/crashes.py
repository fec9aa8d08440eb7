"""Kills a process at every step of an operation, and checks the remains and a repetition."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from chalicelib.stores.aws.crops import temporary_name
from tests.e2e import pictures
from tests.harness.faults.faulty_aws import FaultyAws
from tests.harness.faults.frail_service import ENVIRONMENT
from tests.harness.faults.invariants import Stores
from tests.harness.faults.nursery import Nursery, Request

OPERATIONS = ("detect", "search_picture", "addface", "rename", "removeface", "delete_set")


@dataclass
class Crashes:
    """The outcome of killing one operation: the steps of the kills, and the findings afterwards."""

    operation: str
    steps: list[str]
    killed_at: list[str] = field(default_factory=list)
    orphans: int = 0
    lost: int = 0
    resurrected: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        return bool(self.wrong or self.lost or self.resurrected)


@dataclass
class Ward:
    """The stores of killed processes, the environment that leads there, and a face that always stays."""

    nursery: Nursery
    aws: FaultyAws
    stores: Stores
    anchor: str = ""

    @property
    def environment(self) -> dict[str, str]:
        return {
            **ENVIRONMENT,
            "AWS_ENDPOINT_URL": self.aws.url,
            "DATABASE_URL": self.stores.url,
            "TOKENS_TABLE": self.stores.name,
            "CROPS_BUCKET": self.stores.name,
        }

    def prepare(self) -> None:
        self.anchor = self._detected()
        self._done(_add(self.anchor))

    def crash(self, operation: str, at: Collection[str] = ()) -> Crashes:
        """Kill an operation at each of its steps, or only at the named steps."""
        *_, request = self._begin(operation)
        steps = self.nursery.live(self.environment, request).steps
        found = Crashes(operation, steps)
        for point, step in enumerate(steps, 1):
            if not at or step in at:
                self._kill(operation, point, found)
        return found

    def _begin(self, operation: str) -> tuple[str, str, Request]:
        """Return the token of the operation's face, a face set's name, and the request."""
        if operation in ("detect", "search_picture"):
            path = "/detect" if operation == "detect" else "/search"
            query = () if operation == "detect" else (("threshold", "0.65"),)
            return "", "", Request("POST", path, query, pictures.drawing())
        token, name = self._detected(), ""
        if operation == "addface":
            return token, name, _add(token)
        if operation == "delete_set":
            name = f"s{secrets.token_hex(4)}"
            self._done(Request("POST", "/face_sets", [("face_set", name)]))
        self._done(_add(token, name))
        request = {
            "rename": Request("PUT", f"/faces/{token}", [("face_name", "Grace")]),
            "removeface": Request("GET", "/removeface", [("face_token", token)]),
            "delete_set": Request("DELETE", f"/face_sets/{name}"),
        }[operation]
        return token, name, request

    def _kill(self, operation: str, point: int, found: Crashes) -> None:
        token, _, request = self._begin(operation)
        others = self.stores.faces() - {token}
        life = self.nursery.live(self.environment, request, killed_at=point)
        step = life.steps[-1]
        found.killed_at.append(step)
        if not life.killed:
            found.wrong.append(f"step {point} of {operation} was not reached")
        # Sent requests arrive, although no process waits for the answer.
        self.aws.wait_until_idle()
        found.orphans += len(self.stores.orphans())
        self._look(found, step, others, token)
        self.stores.reconcile()
        found.wrong += [f"{operation}, {step}: an orphan remains: {name}" for name in self.stores.orphans()]
        search = Request("GET", "/search", [("face_token", self.anchor), ("threshold", "9")])
        [(status, body), (_, result)] = self.nursery.live(self.environment, request, search).replies
        done_before = operation in ("removeface", "delete_set") and status == 404
        if status != 200 and not done_before:
            found.wrong.append(f"{operation}, {step}: the repetition is answered {status}: {body}")
        self._look(found, step, others, token)
        self._look_at_the_end(operation, step, found, token)
        in_default = {match["face_token"] for match in result["cmp_result"]} | {self.anchor}
        if in_default != self.stores.faces():
            found.wrong.append(f"{operation}, {step}: a search differs from the rows")

    def _look(self, found: Crashes, step: str, others: set[str], token: str) -> None:
        there = self.stores.faces()
        found.lost += len(others - there)
        found.resurrected += len(there - others - {token})
        found.wrong += [f"{found.operation}, {step}: {violation}" for violation in self.stores.violations()]

    def _look_at_the_end(self, operation: str, step: str, found: Crashes, token: str) -> None:
        there, gone = token in self.stores.faces(), operation in ("removeface", "delete_set")
        if gone and there:
            found.resurrected += 1
        if gone and token in self.stores.tokens():
            found.wrong.append(f"{operation}, {step}: the token is still there")
        if gone and temporary_name(token) in self.stores.temporary_crops():
            found.wrong.append(f"{operation}, {step}: the temporary crop is still there")
        if operation in ("addface", "rename") and not there:
            found.lost += 1

    def _detected(self) -> str:
        [(_, body)] = self.nursery.live(
            self.environment, Request("POST", "/detect", picture=pictures.drawing())
        ).replies
        return str(body["faces"][0]["face_token"])

    def _done(self, request: Request) -> None:
        [(status, body)] = self.nursery.live(self.environment, request).replies
        assert status == 200, body


def _add(token: str, face_set: str = "") -> Request:
    query: Sequence[tuple[str, str]] = [("face_token", token), ("face_name", "Ada")]
    return Request("GET", "/addface", [*query, ("face_set", face_set)] if face_set else query)
