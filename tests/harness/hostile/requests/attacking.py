"""Attacks a running server, or the function in this process, and records wrong answers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from tests.e2e import lambda_api, pictures
from tests.e2e.http_api import HttpApi
from tests.harness.hostile.requests import events, wire
from tests.harness.hostile.requests.answers import Answer, exchange, faults

# A small picture with a face.
PICTURE = pictures.jpeg(pictures.scaled(pictures.astronaut_pixels(), 0.4))


@dataclass
class Outcome:
    """The outcome; `statuses` counts the answers, and each of `failures` is a sentence with the request's number."""

    requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def attack_server(port: int, known: str, *, count: int, seed: int, chalices_own: bool = False) -> Outcome:
    """Send hostile requests to a server; after each, it must answer /health on another connection.

    Parameters
    ----------
    known
        The token of a face in the server's face set.
    chalices_own
        Whether the server is `chalice local`, which answers requests without a route in its own way or not at all.
    """
    outcome = Outcome()
    bystander = HttpApi(port)
    for number in range(count):
        attack = wire.attack(seed, number, known, PICTURE)
        has_body = not attack.data.startswith(b"HEAD ")
        answers, rest = exchange(port, attack.data, has_body=has_body)
        problems: list[str] = []
        if not chalices_own or wire.reaches_a_route(number):
            problems = _problems(attack, answers, rest, has_body=has_body)
        if bystander.get("/health").status != HTTPStatus.OK:
            problems.append("/health is not answered")
        _note(outcome, f"{number} {attack.name}: {attack.data[:200]!r}", answers, problems)
    return outcome


def _problems(attack: wire.Attack, answers: list[Answer], rest: bytes, *, has_body: bool) -> list[str]:
    problems = [fault for answer in answers for fault in faults(answer, has_body=has_body)]
    if not answers:
        problems.append("no answer")
    elif answers[0].status not in attack.statuses:
        problems.append(f"status {answers[0].status} {answers[0].body[:150]!r}, not {sorted(attack.statuses)}")
    problems += [f"then {answer.status}" for answer in answers[1:] if answer.status not in attack.tail]
    return [*problems, f"and {rest[:100]!r}"] if rest else problems


def attack_function(handle: Callable[[Any], Any], known: str, *, count: int, seed: int) -> Outcome:
    """Send hostile events to the function; after each, it must answer an event for /health."""
    outcome = Outcome()
    for number in range(count):
        name, event = events.attack(seed, number, known, PICTURE)
        answer = _answer(handle(event))
        problems = faults(answer)
        if _answer(handle(lambda_api.event("GET", "/health", [], {}, None))).status != HTTPStatus.OK:
            problems.append("/health is not answered")
        _note(outcome, f"{number} {name}: {json.dumps(event)[:500]}", [answer], problems)
    return outcome


def _answer(reply: Any) -> Answer:
    reply = json.loads(json.dumps(reply, allow_nan=False))  # must be serialisable, as on Lambda
    # API Gateway's default when the function sets no content type.
    headers = {"content-type": "application/json", **{name.lower(): value for name, value in reply["headers"].items()}}
    return Answer(reply["statusCode"], headers, reply["body"].encode())


def _note(outcome: Outcome, request: str, answers: list[Answer], problems: list[str]) -> None:
    outcome.requests += 1
    outcome.statuses.update(answer.status for answer in answers)
    outcome.failures += [f"{problem} after {request}" for problem in problems]
