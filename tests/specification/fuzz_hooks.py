"""Facts that schemathesis cannot know about the service: valid pictures, known faces, ignored arguments."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Collection
from typing import Any

import schemathesis
from hypothesis import strategies
from schemathesis import Case, HookContext

from chalicelib.api.openapi.parameters import COMPARED, FACE_TOKEN, IMAGE, NEW_FACE_SET
from chalicelib.faces import DEFAULT_SET
from chalicelib.service import cursors
from tests.e2e import pictures

KNOWN_TOKEN = "KNOWN_TOKEN"
"""The environment variable that names a face of the service."""

# Small, to save time, and good enough for every quality filter. Each picture shows one face.
FACES = [pictures.scaled(pictures.astronaut_pixels(), factor) for factor in (0.5, 0.6)]
PICTURES = [pictures.jpeg(FACES[0]), pictures.png(FACES[1])]
IN_BASE64 = [base64.b64encode(picture).decode() for picture in PICTURES]
# Groups of arguments. A request needs exactly one of each group.
EITHER = [{one.name for one in group} for group in (IMAGE, *COMPARED)]
EMPTY: tuple[object, ...] = ("", b"", None, {}, [])
UNKNOWN_TOKEN = "0" * 24
UNKNOWN_PERSON = "a person without faces"

_SET_NAME, _TOKEN = (re.compile(argument.schema["pattern"]) for argument in (NEW_FACE_SET, FACE_TOKEN))
_TOKENS = ("face_token", "face_token1", "face_token2")

schemathesis.openapi.format("binary", strategies.sampled_from(PICTURES))
schemathesis.openapi.format("byte", strategies.sampled_from(IN_BASE64))
schemathesis.openapi.format("cursor", strategies.integers(0, 2**63 - 1).map(cursors.encode))


@schemathesis.hook
def before_add_examples(context: HookContext, examples: list[Case[Any]]) -> None:
    """Drop examples with two forms of one face, which schemathesis combines and wrongly calls valid."""
    examples[:] = [case for case in examples if not _has_both(case)]


@schemathesis.hook
def filter_case(context: HookContext, case: Case[Any]) -> bool:
    """Drop cases that vary only ignored arguments, because the service would accept them.

    Also drop cases with two forms of one face, and JSON whose fault may be only a scalar of another type, which the
    service reads as text.
    """
    as_text = isinstance(case.body, dict) and not _is_positive(case) and _has_other_scalars(case, case.body)
    varies = _phase(case) != "coverage" or _meant(case) == (case.query, case.body)
    return varies and not _has_both(case) and not as_text


@schemathesis.hook
def map_case(context: HookContext, case: Case[Any]) -> Case[Any]:
    """Send only arguments that are not ignored, mostly with existing faces and face sets."""
    case.query, case.body = _meant(case)
    for place in (case.path_parameters, case.query, case.body):
        if isinstance(place, dict):
            place.update(_that_exist(case, place))
    if isinstance(case.query, dict) and "cursor" in case.query and _is_positive(case):
        case.query["cursor"] = cursors.encode(0)
    if isinstance(case.body, dict) and "cover" in case.body and _is_positive(case):
        # An invented cover is refused, by the person with the new name too.
        case.path_parameters["person"] = UNKNOWN_PERSON
        case.body.pop("name", None)
    return case


def _meant(case: Case[Any]) -> tuple[Any, Any]:
    """Return query and form without empty arguments and without arguments that the service does not know.

    The document says only in words that these are ignored. Fields without a name are not a valid form either.
    """
    query = [parameter.name for parameter in case.operation.query]
    form = [name for body in case.operation.body for name in body.definition["schema"]["properties"]]
    return _those(case.query, query), _those(case.body, form)


def _has_both(case: Case[Any]) -> bool:
    return isinstance(case.body, dict) and any(len(group & case.body.keys()) > 1 for group in EITHER)


def _has_other_scalars(case: Case[Any], members: dict[str, Any]) -> bool:
    """Return whether a known member is a scalar, or a list of scalars, of another type than the document gives."""
    types = {
        name: str(field["type"])
        for body in case.operation.body
        for name, field in body.definition["schema"]["properties"].items()
    }
    return any(_is_other_scalar(value, types[name]) for name, value in members.items() if name in types)


def _is_other_scalar(value: Any, kind: str) -> bool:
    if isinstance(value, list) and kind == "array":  # of texts, which the service reads numbers as
        return any(item is None or isinstance(item, int | float) for item in value)
    if isinstance(value, list):
        return all(item is None or isinstance(item, str | int | float) for item in value)
    return isinstance(value, int | float if kind == "string" else str | bool)


def _those(arguments: Any, names: Collection[str]) -> Any:
    if not isinstance(arguments, dict):
        return arguments
    return {name: value for name, value in arguments.items() if name in names and value not in EMPTY}


def _that_exist(case: Case[Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """Replace valid but invented tokens and face sets by existing ones, except where the request would remove them."""
    removes = case.operation.method == "delete" or "removeface" in case.operation.path
    token = UNKNOWN_TOKEN if removes else os.environ[KNOWN_TOKEN]
    face_set = "staff" if removes or case.operation.path == "/face_sets" else DEFAULT_SET
    if case.operation.path == "/groups":
        return _listed_that_exist(arguments, token)
    there = {"face_set": (_SET_NAME, face_set), **dict.fromkeys(_TOKENS, (_TOKEN, token))}
    return {
        name: there[name][1] for name, value in arguments.items() if name in there and there[name][0].search(str(value))
    }


def _listed_that_exist(arguments: dict[str, Any], token: str) -> dict[str, Any]:
    """Replace the tokens of a list by an existing one if all are valid."""
    given = arguments.get("face_tokens")
    valid = isinstance(given, list) and all(isinstance(one, str) and _TOKEN.search(one) for one in given)
    return {"face_tokens": [token] * len(given)} if isinstance(given, list) and valid else {}


def _is_positive(case: Case[Any]) -> bool:
    return case.meta is not None and case.meta.generation.mode.value == "positive"


def _phase(case: Case[Any]) -> str:
    return "" if case.meta is None else case.meta.phase.name.value
