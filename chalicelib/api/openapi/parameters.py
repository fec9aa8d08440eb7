"""What may be sent: each argument once, and the three places where one can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib import names
from chalicelib.api import arguments
from chalicelib.faces import DEFAULT_NAME, DEFAULT_SET, TOKEN_LENGTH
from chalicelib.images.decoding import MAX_IMAGE_BYTES, MAX_SIDE_PX, MIN_SIDE_PX

EXAMPLE_TOKENS = ("c4yAQ8ZAaT3oRXVWk1FfNnSv", "hT2mZ0qLwXb7RkYd9VsEjC5a")


@dataclass(frozen=True, slots=True)
class Argument:
    """`schema` is OpenAPI's, `text` its description."""

    name: str
    text: str
    schema: dict[str, Any]
    example: Any = None


_TOKEN = {"type": "string", "pattern": f"^[A-Za-z0-9]{{{TOKEN_LENGTH}}}$"}
_PICTURE = {"type": "string", "format": "binary"}
_PICTURE_TEXT = (
    f"a JPEG or PNG, told by its content, of {MIN_SIDE_PX} to {MAX_SIDE_PX} px a side and at most {MAX_IMAGE_BYTES} "
    "bytes; EXIF orientation is honoured."
)
# Clients take `.` and `..` out of an address.
_SET_NAME = r"^(?!\.{1,2}$)[A-Za-z0-9_.-]{1,64}$"
# U+FFFD stands for bytes that were not UTF-8; a name needs more than white space.
_NAME = {"type": "string", "maxLength": names.MAX_NAME_CHARACTERS, "pattern": "^[^\N{REPLACEMENT CHARACTER}]*$"}
_GIVEN_NAME = {
    **_NAME,
    "pattern": "^[^\N{REPLACEMENT CHARACTER}]*[^\\s\N{REPLACEMENT CHARACTER}][^\N{REPLACEMENT CHARACTER}]*$",
}

IMAGE_FILE = Argument("image_file", f"The picture: {_PICTURE_TEXT}", _PICTURE)
IMAGE_FILE1 = Argument("image_file1", f"One picture, unless face_token1 is given: {_PICTURE_TEXT}", _PICTURE)
IMAGE_FILE2 = Argument("image_file2", f"Another picture, unless face_token2 is given: {_PICTURE_TEXT}", _PICTURE)
FACE_TOKEN = Argument("face_token", "The token of a face.", _TOKEN, EXAMPLE_TOKENS[0])
FACE_TOKEN1 = Argument("face_token1", "The token of one face, unless image_file1 is given.", _TOKEN)
FACE_TOKEN2 = Argument("face_token2", "The token of another face, unless image_file2 is given.", _TOKEN)
THRESHOLD = Argument(
    "threshold",
    "The largest distance between two faces that counts; 0 is the same picture, 0.65 the reference value. The reply "
    "says at which thresholds one pair of different people in 100, 1,000 and 10,000 passes.",
    {"type": "number", "minimum": 0},
    0.65,
)
LIMIT = Argument(
    "limit",
    "How many results there may be, the nearest first.",
    {"type": "integer", "minimum": 1, "maximum": arguments.MAX_RESULTS, "default": arguments.MAX_RESULTS},
    10,
)
PAGE_LIMIT = Argument(
    "limit",
    "How many faces a page may have.",
    {
        "type": "integer",
        "minimum": 1,
        "maximum": arguments.MAX_PAGE_FACES,
        "default": arguments.DEFAULT_PAGE_FACES,
    },
    100,
)
GROUP = Argument(
    "group",
    "With `name`, every person (faces of one name) comes once, with the nearest of their faces.",
    {"type": "string", "enum": list(arguments.GROUPS), "default": arguments.GROUPS[0]},
    "name",
)
FACE_SET = Argument(
    "face_set",
    "The face set that is meant.",
    {"type": "string", "pattern": _SET_NAME, "default": DEFAULT_SET},
    DEFAULT_SET,
)
NEW_FACE_SET = Argument(
    "face_set",
    "The face set's name: 1 to 64 letters, digits, dots, hyphens and underscores, other than `.` and `..`.",
    {"type": "string", "pattern": _SET_NAME},
    "staff",
)
OTHER_FACE_SET = Argument(
    "face_set",
    f"A face set other than `{DEFAULT_SET}`, which stays.",
    {"type": "string", "pattern": _SET_NAME.replace(r"\.{1,2}$", rf"\.{{1,2}}$|{DEFAULT_SET}$")},
    "staff",
)
FACE_NAME = Argument("face_name", "Whose face it is.", {**_NAME, "default": DEFAULT_NAME}, "Ada Lovelace")
NEW_NAME = Argument("face_name", "Whose face it is.", {**_GIVEN_NAME, "minLength": 1}, "Ada King")
BEGINNING = Argument("name", "Only faces whose names begin so, without regard to case.", _NAME, "Ada")
CURSOR = Argument(
    "cursor", "The `next_cursor` of the page before.", {"type": "string", "format": "cursor"}, "AAAAAAAAAGQ"
)
QUALITY_FILTER = Argument(
    "quality_filter",
    "With `auto`, a face that is too small, blurred, dark, bright or turned away is refused.",
    {"type": "string", "enum": list(arguments.QUALITY_FILTERS), "default": arguments.QUALITY_FILTERS[0]},
    "auto",
)


def query(required: Sequence[Argument], optional: Sequence[Argument] = ()) -> list[dict[str, Any]]:
    """Return parameters of the query string; empty ones are as if they were not there."""
    return [_parameter("query", one, one in required) for one in (*required, *optional)]


def path(argument: Argument) -> list[dict[str, Any]]:
    return [_parameter("path", argument, required=True)]


def form(
    required: Sequence[Argument], optional: Sequence[Argument] = (), either: Sequence[tuple[Argument, Argument]] = ()
) -> dict[str, Any]:
    """Return the body of a multipart form; `either` are pairs a picture and a token, of which exactly one is given."""
    fields = (*required, *optional, *(one for pair in either for one in pair))
    rules: dict[str, Any] = {"required": [one.name for one in required]} if required else {}
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
