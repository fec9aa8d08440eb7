"""Events that API Gateway would send for hostile requests, and events that it would never send."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from random import Random
from typing import Any

from tests.e2e.lambda_api import event
from tests.harness.hostile.requests import forms, routes
from tests.harness.hostile.requests.values import HOSTILE

Event = dict[str, Any]
NOTHINGS: tuple[Any, ...] = (None, "", 0, [], {}, True, "null", [None], {"a": None}, {"a": 1}, {"a": [1]}, -1.5)
# Lambda accepts events of up to 6 MB.
LARGE_CHARACTERS = 5_000_000


def attack(seed: int, number: int, known: str, picture: bytes) -> tuple[str, Any]:
    """Return the hostile feature of an event, and the event as it is after JSON decoding on Lambda."""
    random = Random(f"{seed}/{number}")
    kind = KINDS[number % len(KINDS)]
    return kind.__name__, json.loads(json.dumps(kind(random, _request(random, known, picture))))


def _request(random: Random, known: str, picture: bytes) -> Event:
    """Return a request's event with hostile arguments, including unpaired surrogates."""
    method, path, parameters, given = routes.request(random, known, surrogates=True)
    headers, body = {"Host": "example.com"}, None
    if method in ("POST", "PUT") and random.random() < 0.7:
        fields = [("image_base64", base64.b64encode(picture))] if random.random() < 0.3 else []
        texts = ((name, text.encode("utf-8", "surrogatepass")) for name, text in given)
        headers["Content-Type"], body = forms.carried(random, [*fields, ("field", b""), *texts])
        given = []
    made = event(method, path, given, headers, body)
    made["pathParameters"] = parameters or None
    return made


def as_it_is(random: Random, made: Event) -> Event:
    return made


def form(random: Random, made: Event) -> Event:
    _, content_type, body = forms.form(random, b"\xff\xd8\xff" + random.randbytes(100))
    resource = random.choice(("/detect", "/search", "/compare", "/addface", "/face_sets"))
    changed = event("POST", resource, [], {"Content-Type": content_type}, None)
    if random.random() < 0.5:  # as API Gateway passes other types than multipart forms
        return {**changed, "body": body.decode(errors="replace")}
    return {**changed, "body": base64.b64encode(body).decode(), "isBase64Encoded": True}


def without_a_field(random: Random, made: Event) -> Event:
    place = random.choice((made, made["requestContext"]))
    del place[random.choice(list(place))]
    return made


def another_type(random: Random, made: Event) -> Event:
    place = random.choice((made, made["requestContext"], made["headers"]))
    place[random.choice(list(place))] = random.choice(NOTHINGS)
    return made


def no_request(random: Random, made: Event) -> Any:
    others: tuple[Any, ...] = (
        *NOTHINGS,
        {"Records": []},
        {"source": "aws.events"},
        {"version": "2.0", "routeKey": "GET /health"},
    )
    return random.choice(others)


def no_base64(random: Random, made: Event) -> Event:
    body = random.choice(
        ("=", "a", "a===", "\xff", "\ud800", "%%%", "QQ==QQ==", base64.b64encode(b"\xff\xfe").decode(), "A" * 1001)
    )
    return {
        **made,
        "body": body,
        "isBase64Encoded": random.choice((True, True, False, "false", 1, None)),
        **_posted(random),
    }


def _posted(random: Random) -> Event:
    made = event(
        "POST", random.choice(("/detect", "/search", "/addface")), [], {"Content-Type": forms.PREFIX + "hostile"}, None
    )
    return {
        name: made[name] for name in ("resource", "path", "httpMethod", "headers", "requestContext", "pathParameters")
    }


def another_route(random: Random, made: Event) -> Event:
    made["requestContext"][random.choice(("resourcePath", "httpMethod"))] = random.choice(HOSTILE)
    return made


def parameters(random: Random, made: Event) -> Event:
    made["pathParameters"] = random.choice(
        ({}, {"face_token": None}, {"face_set": "\ud800"}, {"proxy": ".."}, {"face_token": ["a"]}, "a")
    )
    return made


def large(random: Random, made: Event) -> Event:
    text = random.choice(("a", "\0", "é", "'")) * random.choice((10_000, LARGE_CHARACTERS))
    match random.randrange(4):
        case 0:
            made["headers"] = {**made["headers"], random.choice(("Content-Type", "Accept", "X", text)): text}
        case 1:
            made["multiValueQueryStringParameters"] = {random.choice((*routes.ARGUMENTS, text)): [text]}
        case 2:
            made["multiValueQueryStringParameters"] = {
                "face_name": ["a"] * 100_000,
                **{str(n): [""] for n in range(10_000)},
            }
        case _:
            made |= {"body": text, "isBase64Encoded": False}
    return made


KINDS: tuple[Callable[[Random, Event], Any], ...] = (
    *(
        as_it_is,
        as_it_is,
        as_it_is,
        form,
        form,
        form,
        without_a_field,
        another_type,
        another_type,
        no_request,
        no_base64,
    ),
    *(another_route, parameters, large),
)
