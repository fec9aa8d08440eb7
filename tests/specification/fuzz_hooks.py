"""What schemathesis cannot know of the service: which files are pictures, who is known, what is ignored."""

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
"""The variable of the environment that names a face of the service."""

# Small, so that they take little time; with a face each, which is good enough for every filter.
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
    """Drop examples and boundary values of arguments that are ignored, which would be found to be accepted.

    Two faces in the place of one are dropped too: they are made from examples, and called valid, which they are not.
    """
    both = isinstance(case.body, dict) and any({f"image_file{n}", f"face_token{n}"} <= set(case.body) for n in (1, 2))
    return not both and (_phase(case) != "coverage" or _meant(case) == (case.query, case.body))


@schemathesis.hook
def map_case(context: HookContext, case: Case[Any]) -> Case[Any]:
    """Send what is not ignored, and mostly of faces and face sets that are there."""
    case.query, case.body = _meant(case)
    for place in (case.path_parameters, case.query, case.body):
        if isinstance(place, dict):
            place.update(_that_exist(case, place))
    if isinstance(case.query, dict) and "cursor" in case.query and _is_positive(case):
        case.query["cursor"] = cursors.encode(0)
    return case


def _meant(case: Case[Any]) -> tuple[Any, Any]:
    """Return query and form without arguments that the service does not know, and without empty ones.

    The document says in words only that these are ignored; fields without a name, besides, make no form.
    """
    query = [parameter.name for parameter in case.operation.query]
    form = [name for body in case.operation.body for name in body.definition["schema"]["properties"]]
    return _those(case.query, query), _those(case.body, form)


def _those(arguments: Any, names: Collection[str]) -> Any:
    if not isinstance(arguments, dict):
        return arguments
    return {name: value for name, value in arguments.items() if name in names and value not in EMPTY}


def _that_exist(case: Case[Any], arguments: dict[str, Any]) -> dict[str, str]:
    """Return what is there for valid tokens and face sets that were made up; nothing that is there is removed."""
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
