"""The service's routes, with hostile values for their arguments."""

from __future__ import annotations

import re
from random import Random
from urllib.parse import quote

import app
from tests.harness.hostile.requests.values import TOKEN, value

ROUTES = [
    (method, path)
    for path, methods in app.app.routes.items()
    for method in methods
    if method in ("GET", "POST", "PUT", "DELETE")
]
ARGUMENTS = (
    *("face_token", "face_name", "face_set", "threshold", "limit", "group", "quality_filter", "cursor", "name"),
    *("match", "merge", "cover", "face_tokens"),
    *("face_token1", "face_token2", "image_file", "image_file1", "\0", "", "__class__", "face_token[]", "FACE_TOKEN"),
    *("image_base64", "image_base64_1"),
)
TOKENS = ("face_token", "face_tokens")
Values = list[tuple[str, str]]


def request(random: Random, known: str, *, surrogates: bool = False) -> tuple[str, str, dict[str, str], Values]:
    """Return a method, a route, values for its parameters, and arguments; no known face is removed."""
    method, path = random.choice(ROUTES)
    token = TOKEN if method == "DELETE" or path == "/removeface" else known
    parameters = {name: value(random, token, surrogates=surrogates) or "0" for name in re.findall(r"{(\w+)}", path)}
    given = [
        (name, token if name in TOKENS and random.random() < 0.5 else value(random, token, surrogates=surrogates))
        for name in random.sample(ARGUMENTS, random.randrange(len(ARGUMENTS)))
    ]
    twice = given[:1] if random.random() < 0.1 else []
    return method, path, parameters, given + twice


def filled(path: str, parameters: dict[str, str]) -> str:
    """Return the path with its parameters, percent-encoded."""
    for name, text in parameters.items():
        path = path.replace(f"{{{name}}}", quote(text, safe="", errors="surrogatepass"))
    return path
