"""What schemathesis cannot know of the service: which files are pictures, and what is ignored on purpose."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from typing import Any

import schemathesis
from hypothesis import strategies
from schemathesis import Case, HookContext

from chalicelib import cursors
from chalicelib.faces import DEFAULT_SET
from chalicelib.specification.arguments import FACE_TOKEN, NEW_FACE_SET
from tests.e2e import pictures

# Small, so that they take little time; with a face each, which is good enough for every filter.
FACES = [pictures.scaled(pictures.astronaut_pixels(), factor) for factor in (0.5, 0.6)]
PICTURES = [pictures.jpeg(FACES[0]), pictures.png(FACES[1])]
EMPTY = ("", b"", None)

KNOWN_TOKEN = "KNOWN_TOKEN"
"""The variable of the environment that names a face of the service."""

_SET_NAME, _TOKEN = (re.compile(argument.schema["pattern"]) for argument in (NEW_FACE_SET, FACE_TOKEN))
_TOKENS = ("face_token", "face_token1", "face_token2")

schemathesis.openapi.format("binary", strategies.sampled_from(PICTURES))
schemathesis.openapi.format("cursor", strategies.integers(0, 2**63 - 1).map(cursors.encode))


@schemathesis.hook
def map_path_parameters(context: HookContext, path_parameters: Any) -> Any:
    return _that_exist(context, path_parameters)


@schemathesis.hook
def map_query(context: HookContext, query: Any) -> Any:
    return _that_exist(context, _meant(query, _query(context)))


@schemathesis.hook
def map_body(context: HookContext, body: Any) -> Any:
    return _that_exist(context, _meant(body, _form(context)))


@schemathesis.hook
def filter_case(context: HookContext, case: Case[Any]) -> bool:
    """Drop what the phase of examples and boundaries makes, past the hooks above, of arguments that are ignored.

    Two faces in the place of one are dropped too: it takes them for valid, although the document forbids them.
    """
    both = isinstance(case.body, dict) and any({f"image_file{n}", f"face_token{n}"} <= set(case.body) for n in (1, 2))
    ignored = _meant(case.query, _query(context)) != case.query or _meant(case.body, _form(context)) != case.body
    return not both and not ignored


def _meant(arguments: Any, names: Collection[str]) -> Any:
    """Leave out what the service ignores: arguments that it does not know, and empty ones.

    The document says so in words only: without this, "accepted although unknown" would be found, and fields without a
    name, which make no form, would be called valid.
    """
    if not isinstance(arguments, dict):
        return arguments
    return {name: value for name, value in arguments.items() if name in names and value not in EMPTY}


def _that_exist(context: HookContext, arguments: Any) -> Any:
    """Put what is there in the place of valid tokens and face sets that were made up, but where it would be removed."""
    assert context.operation is not None
    if (
        not isinstance(arguments, dict)
        or context.operation.method == "delete"
        or "removeface" in context.operation.path
    ):
        return arguments
    face_set = "staff" if context.operation.path == "/face_sets" else DEFAULT_SET
    there = {"face_set": (_SET_NAME, face_set), **dict.fromkeys(_TOKENS, (_TOKEN, os.environ[KNOWN_TOKEN]))}
    return {
        name: there[name][1] if name in there and there[name][0].search(str(value)) else value
        for name, value in arguments.items()
    }


def _query(context: HookContext) -> list[str]:
    assert context.operation is not None
    return [parameter.name for parameter in context.operation.query]


def _form(context: HookContext) -> list[str]:
    assert context.operation is not None
    return [name for body in context.operation.body for name in body.definition["schema"]["properties"]]
