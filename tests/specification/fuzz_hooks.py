"""Facts that schemathesis cannot know about the service: valid pictures, known faces, ignored arguments."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from typing import Any

import schemathesis
from hypothesis import strategies
from schemathesis import Case, HookContext

from chalicelib.api.openapi.parameters import FACE_TOKEN, NEW_FACE_SET
from chalicelib.faces import DEFAULT_SET
from chalicelib.service import cursors
from tests.e2e import pictures

KNOWN_TOKEN = "KNOWN_TOKEN"
"""The environment variable that names a face of the service."""

# Small, to save time, and good enough for every quality filter. Each picture shows one face.
FACES = [pictures.scaled(pictures.astronaut_pixels(), factor) for factor in (0.5, 0.6)]
PICTURES = [pictures.jpeg(FACES[0]), pictures.png(FACES[1])]
EMPTY: tuple[object, ...] = ("", b"", None, {}, [])
UNKNOWN_TOKEN = "0" * 24

_SET_NAME, _TOKEN = (re.compile(argument.schema["pattern"]) for argument in (NEW_FACE_SET, FACE_TOKEN))
_TOKENS = ("face_token", "face_token1", "face_token2")

schemathesis.openapi.format("binary", strategies.sampled_from(PICTURES))
schemathesis.openapi.format("cursor", strategies.integers(0, 2**63 - 1).map(cursors.encode))


@schemathesis.hook
def filter_case(context: HookContext, case: Case[Any]) -> bool:
    """Drop cases that vary only ignored arguments, because the service would accept them.

    Also drop cases with both forms of one face. Schemathesis makes them from examples and wrongly calls them valid.
    """
    both = isinstance(case.body, dict) and any({f"image_file{n}", f"face_token{n}"} <= set(case.body) for n in (1, 2))
    return not both and (_phase(case) != "coverage" or _meant(case) == (case.query, case.body))


@schemathesis.hook
def map_case(context: HookContext, case: Case[Any]) -> Case[Any]:
    """Send only arguments that are not ignored, mostly with existing faces and face sets."""
    case.query, case.body = _meant(case)
    for place in (case.path_parameters, case.query, case.body):
        if isinstance(place, dict):
            place.update(_that_exist(case, place))
    if isinstance(case.query, dict) and "cursor" in case.query and _is_positive(case):
        case.query["cursor"] = cursors.encode(0)
    return case


def _meant(case: Case[Any]) -> tuple[Any, Any]:
    """Return query and form without empty arguments and without arguments that the service does not know.

    The document says only in words that these are ignored. Fields without a name are not a valid form either.
    """
    query = [parameter.name for parameter in case.operation.query]
    form = [name for body in case.operation.body for name in body.definition["schema"]["properties"]]
    return _those(case.query, query), _those(case.body, form)


def _those(arguments: Any, names: Collection[str]) -> Any:
    if not isinstance(arguments, dict):
        return arguments
    return {name: value for name, value in arguments.items() if name in names and value not in EMPTY}


def _that_exist(case: Case[Any], arguments: dict[str, Any]) -> dict[str, str]:
    """Replace valid but invented tokens and face sets by existing ones, except where the request would remove them."""
    removes = case.operation.method == "delete" or "removeface" in case.operation.path
    token = UNKNOWN_TOKEN if removes else os.environ[KNOWN_TOKEN]
    face_set = "staff" if removes or case.operation.path == "/face_sets" else DEFAULT_SET
    there = {"face_set": (_SET_NAME, face_set), **dict.fromkeys(_TOKENS, (_TOKEN, token))}
    return {
        name: there[name][1] for name, value in arguments.items() if name in there and there[name][0].search(str(value))
    }


def _is_positive(case: Case[Any]) -> bool:
    return case.meta is not None and case.meta.generation.mode.value == "positive"


def _phase(case: Case[Any]) -> str:
    return "" if case.meta is None else case.meta.phase.name.value
