"""Attacks a running server, and the function in this process; tells what it answered that it must not."""

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

# Small, with a face.
PICTURE = pictures.jpeg(pictures.scaled(pictures.astronaut_pixels(), 0.4))


@dataclass
class Outcome:
    """`statuses` counts the answers; each of `failures` is a sentence that names the request's number."""

    requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def attack_server(port: int, known: str, *, count: int, seed: int, chalices_own: bool = False) -> Outcome:
    """Send hostile requests to the server of a port; after each it has to answer /health, on another connection.

    Parameters
    ----------
    known
        The token of a face in its face set.
    chalices_own
        Whether it is `chalice local`, which answers in its own way, or not at all, what reaches no route.
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
    """Hand hostile events to the function; after each it has to answer one for /health."""
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
    reply = json.loads(json.dumps(reply, allow_nan=False))  # as Lambda takes it
    # What API Gateway adds where the function names no type.
    headers = {"content-type": "application/json", **{name.lower(): value for name, value in reply["headers"].items()}}
    return Answer(reply["statusCode"], headers, reply["body"].encode())


def _note(outcome: Outcome, request: str, answers: list[Answer], problems: list[str]) -> None:
    outcome.requests += 1
    outcome.statuses.update(answer.status for answer in answers)
    outcome.failures += [f"{problem} after {request}" for problem in problems]
