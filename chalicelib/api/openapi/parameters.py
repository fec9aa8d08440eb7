"""Describes the arguments for OpenAPI, in the query, the path or a body."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.api import bodies, fields
from chalicelib.faces import DEFAULT_SET
from chalicelib.images.decoding import MIN_SIDE_PX
from chalicelib.settings import current_settings

EXAMPLE_FACE = "c4yAQ8ZAaT3oRXVWk1FfNnSv"


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument's name, description (`text`), OpenAPI schema and example."""

    name: str
    text: str
    schema: dict[str, Any]
    example: Any = None


def _argument(field: fields.Field[object], text: str, example: Any = None) -> Argument:
    return Argument(field.name, text, field.schema, example)


_LIMITS = (
    f"A JPEG or PNG, recognised by its content, of {MIN_SIDE_PX} to {current_settings().max_image_side_px} px a side "
    f"and at most {current_settings().max_image_bytes} bytes; the EXIF orientation is applied."
)
_BASE64 = "In base64, with either alphabet; line ends, missing padding and the start of a data: URL are accepted."


def _picture(field: fields.PictureField, text: str, unless: str = "") -> tuple[Argument, Argument]:
    """Return a picture's arguments, the file and its base64."""
    file = f"{text}, unless {field.base64}{unless} is given. {_LIMITS}"
    base64 = f"{text}, unless {field.file}{unless} is given. {_BASE64} {_LIMITS}"
    return Argument(field.file, file, field.file_schema), Argument(field.base64, base64, field.base64_schema)


IMAGE = _picture(fields.IMAGE, "The picture")
FACE_TOKEN = _argument(fields.FACE_TOKEN, "The token of a face.", EXAMPLE_FACE)
FACE_TOKENS = Argument(
    fields.FACE_TOKENS.name,
    "The tokens of the faces, each in a field of its own or in a JSON list. A token given twice counts once.",
    fields.FACE_TOKENS.schema,
    [EXAMPLE_FACE],
)
COMPARED = tuple(
    (
        *_picture(fields.compared_picture(number), f"Picture {number}", f" or face_token{number}"),
        _argument(
            fields.token_field(f"face_token{number}"),
            f"The token of face {number}, unless picture {number} is given.",
        ),
    )
    for number in (1, 2)
)
THRESHOLD = _argument(
    fields.THRESHOLD,
    "The largest distance that counts as a match; 0 is the same picture, 0.65 the reference value. The reply gives the "
    "thresholds at which one pair of different people in 100, 1,000 and 10,000 matches.",
    0.65,
)
IDENTIFY_THRESHOLD = _argument(
    fields.THRESHOLD,
    "The largest distance that counts as a match. By default the distance at which one pair of different people in "
    "1,000 matches.",
    0.5,
)
LIMIT = _argument(fields.LIMIT, "The maximum number of results, nearest first.", 10)
PAGE_LIMIT = _argument(fields.PAGE_LIMIT, "The maximum number of faces on a page.", 100)
GROUP = _argument(
    fields.GROUP,
    "With `name`, each person appears once, with their nearest face. All faces with the same name are one person; case "
    "and outer white space do not count.",
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
    "The name of a person, who has all faces of this name in the face set; case and outer white space do not count.",
    "Ada Lovelace",
)
PART = _argument(fields.PART, "List only names that contain this text; case and accents are ignored.", "Ada")
MATCH = _argument(fields.MATCH, "With `start`, list only names that begin with `name`; accents matter then.", "start")
PERSON_NAME = _argument(fields.PERSON_NAME, "The person's new name.", "Ada King")
MERGE = _argument(fields.MERGE, "With `true`, the new name may be another person's: both become one person.", "true")
CHECK = _argument(
    fields.CHECK,
    "With `true`, the reply lists people of the face set who look like this face and have another name.",
    "true",
)
COVER = _argument(fields.COVER, "The token of the person's face that shows them in lists.", EXAMPLE_FACE)
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


def body(
    required: Sequence[Argument],
    optional: Sequence[Argument] = (),
    either: Sequence[Sequence[Argument]] = (),
    some: Sequence[Argument] = (),
) -> dict[str, Any]:
    """Return a request's body, a form or a JSON object; of each group in `either`, it has exactly one argument.

    At least one of `some`, which are also in `optional`, is required.
    """
    as_text = [[one for one in group if not _is_file(one)] for group in either]
    content = {
        bodies.MULTIPART: {**_object(required, optional, either, some), **_file_types(either)},
        bodies.URL_ENCODED: _object(required, optional, as_text, some),
        bodies.JSON: _object(required, optional, as_text, some),
    }
    return {"required": True, "content": content}


def _object(
    required: Sequence[Argument],
    optional: Sequence[Argument],
    either: Sequence[Sequence[Argument]],
    some: Sequence[Argument],
) -> dict[str, Any]:
    required = [*required, *(group[0] for group in either if len(group) == 1)]
    groups = [group for group in either if len(group) > 1]
    properties = {
        one.name: _described(one) for one in (*required, *optional, *(one for group in groups for one in group))
    }
    rules: dict[str, Any] = {"required": [one.name for one in required]} if required else {}
    if some:
        rules["anyOf"] = [{"required": [one.name]} for one in some]
    if groups:
        rules["allOf"] = [{"oneOf": [{"required": [one.name]} for one in group]} for group in groups]
    return {"schema": {"type": "object", "properties": properties, **rules}}


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


def _is_file(argument: Argument) -> bool:
    return argument.schema.get("format") == "binary"


def _file_types(groups: Sequence[Sequence[Argument]]) -> dict[str, Any]:
    files = {one.name: {"contentType": "image/jpeg, image/png"} for group in groups for one in group if _is_file(one)}
    return {"encoding": files} if files else {}
