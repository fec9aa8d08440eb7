"""What the path of an incoming picture asks for, and where its result goes."""

from __future__ import annotations

from typing import NamedTuple

from chalicelib import errors
from chalicelib.api import fields
from chalicelib.api.arguments import not_utf_8

PICTURES, RESULTS = "incoming/", "results/"
# S3's limit, in bytes of UTF-8.
MAX_KEY_BYTES = 1_024

_FORMS = f"{PICTURES}add/<face_set>/<person>/<file> or {PICTURES}identify/<face_set>/<file>"


class Addition(NamedTuple):
    """The largest face of the picture is added to a face set under a person's name."""

    face_set: str
    person: str


class Identification(NamedTuple):
    """The faces of the picture are identified in a face set."""

    face_set: str


def asked(path: str) -> Addition | Identification:
    """Return what a picture's path asks for. Files may be in further folders.

    Raises
    ------
    ServiceError
        1001 for a path of another form, or a name that the API would refuse.
    """
    match path.split("/"):
        case ["incoming", "add", face_set, person, *folders, file] if file:
            del folders
            return Addition(fields.NEW_FACE_SET.parse(face_set), _person(person))
        case ["incoming", "identify", face_set, *folders, file] if file:
            del folders
            return Identification(fields.NEW_FACE_SET.parse(face_set))
    raise errors.bad_argument(f"a picture's path must be {_FORMS}")


def result_of(path: str) -> str:
    """Return the path of a picture's result."""
    return f"{RESULTS}{path.removeprefix(PICTURES)}.json"


def is_picture(path: str) -> bool:
    """Return whether a path may be a picture's: S3's console makes empty objects for folders, which end in a slash.

    A path is no picture's if its result's path would be too long for S3.
    """
    if not path.startswith(PICTURES) or path.endswith("/"):
        return False
    return len(result_of(path).encode("utf-8", "surrogateescape")) <= MAX_KEY_BYTES


def _person(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeError:
        raise not_utf_8(fields.PERSON.name) from None
    if fields.LOST in text:
        raise not_utf_8(fields.PERSON.name)
    name = fields.PERSON.parse(text)
    if not name:
        raise errors.missing_argument(fields.PERSON.name)
    return name
