"""Describes the arguments for OpenAPI, in the query, the path or a form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.api import fields
from chalicelib.faces import DEFAULT_SET
from chalicelib.images.decoding import MAX_IMAGE_BYTES, MAX_SIDE_PX, MIN_SIDE_PX

EXAMPLE_TOKENS = ("c4yAQ8ZAaT3oRXVWk1FfNnSv", "hT2mZ0qLwXb7RkYd9VsEjC5a")


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument's name, description (`text`), OpenAPI schema and example."""

    name: str
    text: str
    schema: dict[str, Any]
    example: Any = None


def _argument(field: fields.Field[object], text: str, example: Any = None) -> Argument:
    return Argument(field.name, text, field.schema, example)


_PICTURE = {"type": "string", "format": "binary"}
_PICTURE_TEXT = (
    f"a JPEG or PNG, recognised by its content, of {MIN_SIDE_PX} to {MAX_SIDE_PX} px a side and at most "
    f"{MAX_IMAGE_BYTES} bytes; the EXIF orientation is applied."
)

IMAGE_FILE = Argument("image_file", f"The picture: {_PICTURE_TEXT}", _PICTURE)
IMAGE_FILE1 = Argument("image_file1", f"One picture, unless face_token1 is given: {_PICTURE_TEXT}", _PICTURE)
IMAGE_FILE2 = Argument("image_file2", f"Another picture, unless face_token2 is given: {_PICTURE_TEXT}", _PICTURE)
FACE_TOKEN = _argument(fields.FACE_TOKEN, "The token of a face.", EXAMPLE_TOKENS[0])
FACE_TOKEN1 = _argument(fields.token_field("face_token1"), "The token of one face, unless image_file1 is given.")
FACE_TOKEN2 = _argument(fields.token_field("face_token2"), "The token of another face, unless image_file2 is given.")
THRESHOLD = _argument(
    fields.THRESHOLD,
    "The largest distance that counts as a match; 0 is the same picture, 0.65 the reference value. The reply gives the "
    "thresholds at which one pair of different people in 100, 1,000 and 10,000 matches.",
    0.65,
)
LIMIT = _argument(fields.LIMIT, "The maximum number of results, nearest first.", 10)
PAGE_LIMIT = _argument(fields.PAGE_LIMIT, "The maximum number of faces on a page.", 100)
GROUP = _argument(
    fields.GROUP,
    "With `name`, each person appears once, with their nearest face. A person is all faces whose names differ at most "
    "in case and outer white space.",
    "name",
)
FACE_SET = _argument(fields.FACE_SET, "The face set to use.", DEFAULT_SET)
NEW_FACE_SET = _argument(fields.NEW_FACE_SET, f"The face set's name: {fields.NEW_FACE_SET.rule}.", "staff")
OTHER_FACE_SET = _argument(
    fields.OTHER_FACE_SET, f"A face set other than `{DEFAULT_SET}`, which cannot be deleted.", "staff"
)
FACE_NAME = _argument(fields.FACE_NAME, "The person's name.", "Ada Lovelace")
NEW_NAME = _argument(fields.NEW_NAME, "The person's new name.", "Ada King")
PERSON = _argument(
    fields.PERSON,
    "The name of a person: all faces of the face set whose names differ at most in case and outer white space.",
    "Ada Lovelace",
)
PART = _argument(fields.PART, "List only names that contain this text; case and accents are ignored.", "Ada")
MATCH = _argument(fields.MATCH, "With `start`, list only names that begin with `name`; accents matter then.", "start")
PERSON_NAME = _argument(fields.PERSON_NAME, "The person's new name.", "Ada King")
MERGE = _argument(fields.MERGE, "With `true`, the new name may be another person's: both become one person.", "true")
COVER = _argument(fields.COVER, "The token of the person's face that shows them in lists.", EXAMPLE_TOKENS[0])
CURSOR = _argument(fields.CURSOR, "The `next_cursor` of the previous page.", "AAAAAAAAAGQ")
QUALITY_FILTER = _argument(
    fields.QUALITY_FILTER,
    "With `auto`, refuse a face that is too small, blurred, dark, bright, turned away or covered.",
    "auto",
)


def query(required: Sequence[Argument], optional: Sequence[Argument] = ()) -> list[dict[str, Any]]:
    """Return the parameters of a query string."""
    return [_parameter("query", one, one in required) for one in (*required, *optional)]


def path(argument: Argument) -> list[dict[str, Any]]:
    return [_parameter("path", argument, required=True)]


def form(
    required: Sequence[Argument],
    optional: Sequence[Argument] = (),
    either: Sequence[tuple[Argument, Argument]] = (),
    some: Sequence[Argument] = (),
) -> dict[str, Any]:
    """Return the body of a multipart form; each pair in `either` is a picture and a token, and takes exactly one.

    At least one of `some`, which are also in `optional`, is required.
    """
    fields = (*required, *optional, *(one for pair in either for one in pair))
    rules: dict[str, Any] = {"required": [one.name for one in required]} if required else {}
    if some:
        rules["anyOf"] = [{"required": [one.name]} for one in some]
    if either:
        rules["allOf"] = [{"oneOf": [{"required": [one.name]} for one in pair]} for pair in either]
        rules["examples"] = [{token.name: EXAMPLE_TOKENS[at] for at, (_, token) in enumerate(either)}]
    return {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {one.name: _described(one) for one in fields}, **rules},
                **_picture_types(fields),
            }
        },
    }


def _parameter(place: str, argument: Argument, required: bool) -> dict[str, Any]:
    return {
        "name": argument.name,
        "in": place,
        "description": argument.text,
        "required": required,
        "schema": argument.schema,
        "example": argument.example,
    }


def _described(argument: Argument) -> dict[str, Any]:
    shown = {} if argument.example is None else {"examples": [argument.example]}
    return {**argument.schema, "description": argument.text, **shown}


def _picture_types(fields: Sequence[Argument]) -> dict[str, Any]:
    pictures = {one.name: {"contentType": "image/jpeg, image/png"} for one in fields if one.schema is _PICTURE}
    return {"encoding": pictures} if pictures else {}
