"""The arguments of the API. Each definition parses the text and gives the JSON schema for OpenAPI."""

from __future__ import annotations

import binascii
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

from chalicelib import errors
from chalicelib.faces import DEFAULT_NAME, DEFAULT_SET, TOKEN_LENGTH
from chalicelib.names import MAX_NAME_CHARACTERS, MAX_SENT_CHARACTERS, normalized
from chalicelib.service import cursors

MAX_NUMBER_CHARACTERS = 64
MAX_RESULTS = 10_000
MAX_PAGE_FACES, DEFAULT_PAGE_FACES = 1_000, 100
MAX_GROUPED_FACES = 1_000
# Decoders, including API Gateway's and the local server's, replace bytes that are not UTF-8 with this character.
LOST = "\N{REPLACEMENT CHARACTER}"

_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?|\.[0-9]+([eE][+-]?[0-9]+)?")
_WHOLE_NUMBER = re.compile(r"[0-9]{1,9}")
# What browsers' `readAsDataURL` and `toDataURL` begin with. The type is ignored, like a file's.
_DATA_URL = re.compile(rb"data:[^,]{0,100};base64,", re.IGNORECASE)
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_LINE_ENDS = b"\r\n"

Value_co = TypeVar("Value_co", covariant=True)
Option = TypeVar("Option", bound=str)


class Field(Protocol[Value_co]):
    """A text argument: its name, its schema and its parser."""

    @property
    def name(self) -> str: ...

    @property
    def schema(self) -> dict[str, Any]:
        """The argument's JSON schema, in the dialect of OpenAPI 3.1."""
        ...

    def parse(self, text: str) -> Value_co:
        """Return the value of a non-empty text.

        Raises
        ------
        ServiceError
            1001, with a detail that states the accepted values.
        """
        ...


@dataclass(frozen=True, slots=True)
class Patterned:
    """Text that must match a whole regular expression, which Python and ECMAScript must read alike."""

    name: str
    pattern: str
    rule: str
    default: str | None = None

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{self.pattern}$", **_default(self.default)}

    def parse(self, text: str) -> str:
        if not re.fullmatch(self.pattern, text):
            raise errors.bad_argument(f"{self.name} must be {self.rule}")
        return text


@dataclass(frozen=True, slots=True)
class PatternedList:
    """1 to `most` texts: an argument given several times, or a JSON list."""

    item: Patterned
    most: int

    @property
    def name(self) -> str:
        return self.item.name

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.item.schema, "minItems": 1, "maxItems": self.most}

    def parse(self, texts: Sequence[str]) -> list[str]:
        """Return the texts.

        Raises
        ------
        ServiceError
            1001 for too many, or a text that does not match.
        """
        if len(texts) > self.most:
            raise errors.bad_argument(f"{self.name} may have at most {self.most} values, not {len(texts)}")
        return [self.item.parse(text) for text in texts]


@dataclass(frozen=True, slots=True)
class PersonName:
    """A name or a part of a name, converted to NFC. White space alone counts as no name, which `required` refuses."""

    name: str
    default: str | None = None
    required: bool = False

    @property
    def schema(self) -> dict[str, Any]:
        some = rf"[^\s{LOST}][^{LOST}]*" if self.required else ""
        least = {"minLength": 1} if self.required else {}
        pattern = f"^[^{LOST}]*{some}$"
        return {
            "type": "string",
            "maxLength": MAX_NAME_CHARACTERS,
            "pattern": pattern,
            **least,
            **_default(self.default),
        }

    def parse(self, text: str) -> str:
        """Return the name in NFC; empty for white space alone."""
        if len(text) > MAX_SENT_CHARACTERS or len(text := normalized(text)) > MAX_NAME_CHARACTERS:
            raise errors.bad_argument(f"{self.name} must have at most {MAX_NAME_CHARACTERS} characters")
        return text


@dataclass(frozen=True, slots=True)
class WholeNumber:
    """A whole number from 1 to `most`."""

    name: str
    most: int
    default: int

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": 1, "maximum": self.most, "default": self.default}

    def parse(self, text: str) -> int:
        if not _WHOLE_NUMBER.fullmatch(text) or not 1 <= int(text) <= self.most:
            raise errors.bad_argument(f"{self.name} must be a whole number from 1 to {self.most}")
        return int(text)


@dataclass(frozen=True, slots=True)
class Choice(Generic[Option]):
    """One of `options`; the first is the default."""

    name: str
    options: tuple[Option, ...]

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.options), "default": self.options[0]}

    def parse(self, text: str) -> Option:
        for option in self.options:
            if text == option:
                return option
        raise errors.bad_argument(f"{self.name} must be one of {', '.join(self.options)}")


@dataclass(frozen=True, slots=True)
class Distance:
    """A finite number of at least 0."""

    name: str

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "number", "minimum": 0}

    def parse(self, text: str) -> float:
        number = float(text) if len(text) <= MAX_NUMBER_CHARACTERS and _NUMBER.fullmatch(text) else math.inf
        if not math.isfinite(number):
            raise errors.bad_argument(f"{self.name} must be a finite number of at least 0, such as 0.65")
        return number


@dataclass(frozen=True, slots=True)
class Cursor:
    """The place at which a page of a list ended: the row id of its last item and, in lists by person, the person's."""

    name: str

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "cursor"}

    def parse(self, text: str) -> tuple[int, int]:
        """Return the row ids of the person, or 0, and of the item."""
        if after := cursors.decode(text):
            return 0, after[0]
        if after := cursors.decode(text, 2):
            return after[0], after[1]
        raise errors.bad_argument(f"{self.name} must be the next_cursor of an earlier reply")


@dataclass(frozen=True, slots=True)
class PictureField:
    """A picture: the name of its file in a multipart form, and the name of its base64 text in any body."""

    file: str
    base64: str

    @property
    def file_schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "binary"}

    @property
    def base64_schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "byte", "contentEncoding": "base64"}

    def parse(self, text: bytes) -> bytes:
        """Return the file that base64 text holds.

        Either alphabet of RFC 4648 is accepted, line ends anywhere, and missing padding. A space is refused: it is
        usually a `+` that a URL-encoded form did not escape.

        Raises
        ------
        ServiceError
            1001 for other text.
        """
        prefix = _DATA_URL.match(text)
        plain = text[prefix.end() if prefix else 0 :].translate(_URL_SAFE, _LINE_ENDS)
        try:
            return binascii.a2b_base64(plain + b"=" * (-len(plain) % 4), strict_mode=True)
        except binascii.Error:
            raise errors.bad_argument(f"{self.base64} must be a file in base64, without spaces") from None


IMAGE = PictureField("image_file", "image_base64")
FACE_TOKEN = Patterned("face_token", f"[A-Za-z0-9]{{{TOKEN_LENGTH}}}", f"{TOKEN_LENGTH} letters and digits")
FACE_TOKENS = PatternedList(
    replace(FACE_TOKEN, name="face_tokens", rule=f"{TOKEN_LENGTH} letters and digits each"), MAX_GROUPED_FACES
)
THRESHOLD = Distance("threshold")
LIMIT = WholeNumber("limit", MAX_RESULTS, MAX_RESULTS)
PAGE_LIMIT = WholeNumber("limit", MAX_PAGE_FACES, DEFAULT_PAGE_FACES)
GROUP = Choice("group", ("none", "name"))
QUALITY_FILTER = Choice("quality_filter", ("none", "auto"))
# Clients remove `.` and `..` from an address, so a set with one of these names could not be deleted.
NEW_FACE_SET = Patterned(
    "face_set",
    r"(?!\.{1,2}$)[A-Za-z0-9_.-]{1,64}",
    "1 to 64 letters, digits, dots, hyphens and underscores, other than `.` and `..`",
)
FACE_SET = replace(NEW_FACE_SET, default=DEFAULT_SET)
# The service refuses to delete the default face set, so the schema excludes its name.
OTHER_FACE_SET = replace(NEW_FACE_SET, pattern=rf"(?!\.{{1,2}}$|{DEFAULT_SET}$)[A-Za-z0-9_.-]{{1,64}}")
FACE_NAME = PersonName("face_name", DEFAULT_NAME)
NEW_NAME = PersonName("face_name", required=True)
PERSON = PersonName("person", required=True)
PART = PersonName("name")
MATCH = Choice("match", ("any", "start"))
PERSON_NAME = PersonName("name", required=True)
MERGE = Choice("merge", ("false", "true"))
CHECK = Choice("check", ("false", "true"))
COVER = replace(FACE_TOKEN, name="cover")
CURSOR = Cursor("cursor")


def token_field(name: str) -> Patterned:
    return replace(FACE_TOKEN, name=name)


def compared_picture(number: int) -> PictureField:
    return PictureField(f"image_file{number}", f"image_base64_{number}")


def _default(value: object) -> dict[str, Any]:
    return {} if value is None else {"default": value}
