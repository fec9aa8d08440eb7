"""Reads what a client sent: multipart forms and query strings."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser, parse_options_header

from chalicelib import errors
from chalicelib.faces import DEFAULT_NAME, DEFAULT_SET, is_token
from chalicelib.images import decoding
from chalicelib.images.decoding import MAX_IMAGE_BYTES
from chalicelib.names import MAX_NAME_CHARACTERS, MAX_SENT_CHARACTERS, normalized
from chalicelib.service import cursors
from chalicelib.service.comparison import Picture

# Room for the boundaries, the part headers and the other fields of a form.
MAX_FORM_OVERHEAD_BYTES = 64 * 1024
MAX_FORM_PARTS = 16
MAX_BOUNDARY_CHARACTERS = 200
MAX_NUMBER_CHARACTERS = 64
MAX_RESULTS = 10_000
MAX_PAGE_FACES, DEFAULT_PAGE_FACES = 1_000, 100
GROUPS = ("none", "name")
QUALITY_FILTERS = ("none", "auto")

_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?|\.[0-9]+([eE][+-]?[0-9]+)?")
_WHOLE_NUMBER = re.compile(r"[0-9]{1,9}")
_SET_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
# Clients take these out of an address before they send it, so such a set could not be deleted.
DOT_SEGMENTS = (".", "..")
# What decoders put in the place of bytes that are not UTF-8, API Gateway's and the local server's among them.
_LOST = "\N{REPLACEMENT CHARACTER}"


class Arguments:
    """The arguments of one request, from its address and, for a POST or PUT, the form.

    Every getter raises `ServiceError` 1002 for a required argument that is absent or empty, and 1001 for one that does
    not parse, is not UTF-8, is out of range, or is given more than once.
    """

    def __init__(self, query: Mapping[str, Sequence[str]], form: Mapping[str, Sequence[bytes]] | None = None) -> None:
        self._query = query
        self._form = form

    def image(self) -> bytes:
        """The file `image_file`, as sent; 1005 when no form was."""
        if self._form is None:
            raise not_a_form()
        file = self._file("image_file")
        if file is None:
            raise errors.missing_argument("image_file")
        return file

    def token(self) -> str:
        token = self._token("face_token")
        if token is None:
            raise errors.missing_argument("face_token")
        return token

    def compared(self, number: int) -> str | Picture:
        """One of two faces, 1 or 2, that are to be compared: a token or a picture."""
        picture_name, token_name = f"image_file{number}", f"face_token{number}"
        file, token = self._file(picture_name), self._token(token_name)
        if file is not None and token is not None:
            raise errors.bad_argument(f"give either {picture_name} or {token_name}, not both")
        if file is not None:
            return Picture(picture_name, file)
        if token is None:
            raise errors.missing_argument(f"{picture_name} or {token_name}")
        return token

    def threshold(self) -> tuple[str, float]:
        """The threshold as it was given, and as a number."""
        text = self._required("threshold")
        number = float(text) if len(text) <= MAX_NUMBER_CHARACTERS and _NUMBER.fullmatch(text) else math.inf
        if not math.isfinite(number):
            raise errors.bad_argument("threshold must be a finite number of at least 0, such as 0.65")
        return text, number

    def limit(self) -> int:
        return self._whole_number("limit", MAX_RESULTS) or MAX_RESULTS

    def name(self) -> str:
        return self._text("face_name") or DEFAULT_NAME

    def new_name(self) -> str:
        """The `face_name` that a face is to get."""
        name = self._text("face_name")
        if name is None:
            raise errors.missing_argument("face_name")
        return name

    def beginning(self) -> str:
        """What names begin with that are looked for; empty for any."""
        return self._text("name") or ""

    def face_set(self) -> str:
        """The face set that is meant, `default` when none is given."""
        return self._set_name(self._optional("face_set") or DEFAULT_SET)

    def named_face_set(self) -> str:
        """The face set that is to be made or deleted."""
        return self._set_name(self._required("face_set"))

    def page_limit(self) -> int:
        return self._whole_number("limit", MAX_PAGE_FACES) or DEFAULT_PAGE_FACES

    def after(self) -> int:
        """The row id that a list's `cursor` stands for; 0 when there is none."""
        text = self._optional("cursor")
        after = 0 if text is None else cursors.decode(text)
        if after is None:
            raise errors.bad_argument("cursor must be a next_cursor of an earlier reply")
        return after

    def by_person(self) -> bool:
        """Whether `group` is `name`: people are then searched for, not faces."""
        text = self._optional("group") or "none"
        if text not in GROUPS:
            raise errors.bad_argument(f"group must be one of {', '.join(GROUPS)}")
        return text == "name"

    def refuse_poor(self) -> bool:
        """Whether `quality_filter` is `auto`: poor faces are then refused."""
        text = self._optional("quality_filter") or "none"
        if text not in QUALITY_FILTERS:
            raise errors.bad_argument(f"quality_filter must be one of {', '.join(QUALITY_FILTERS)}")
        return text == "auto"

    def _file(self, name: str) -> bytes | None:
        files = (self._form or {}).get(name, ())
        if len(files) > 1:
            raise errors.bad_argument(f"{name} is given more than once; one picture is accepted")
        return files[0] or None if files else None

    def _token(self, name: str) -> str | None:
        token = self._optional(name)
        if token is not None and not is_token(token):
            raise errors.bad_argument(f"{name} must be 24 letters and digits")
        return token

    @staticmethod
    def _set_name(name: str) -> str:
        if not _SET_NAME.fullmatch(name) or name in DOT_SEGMENTS:
            raise errors.bad_argument("face_set must be 1 to 64 letters, digits, dots, hyphens and underscores")
        return name

    def _whole_number(self, name: str, most: int) -> int | None:
        text = self._optional(name)
        if text is not None and (not _WHOLE_NUMBER.fullmatch(text) or not 1 <= int(text) <= most):
            raise errors.bad_argument(f"{name} must be a whole number from 1 to {most}")
        return None if text is None else int(text)

    def _text(self, name: str) -> str | None:
        """A name, or its beginning, in NFC; None when it is absent or white space."""
        text = self._optional(name) or ""
        if len(text) > MAX_SENT_CHARACTERS or len(text := normalized(text)) > MAX_NAME_CHARACTERS:
            raise errors.bad_argument(f"{name} must have at most {MAX_NAME_CHARACTERS} characters")
        return text or None

    def _required(self, name: str) -> str:
        value = self._optional(name)
        if value is None:
            raise errors.missing_argument(name)
        return value

    def _optional(self, name: str) -> str | None:
        try:
            form = self._form or {}
            values = [*self._query.get(name, ()), *(value.decode("utf-8") for value in form.get(name, ()))]
            "".join(values).encode("utf-8")  # fails at half of a surrogate pair, which JSON can carry
        except UnicodeError:
            raise not_utf_8(name) from None
        if any(_LOST in value for value in values):
            raise not_utf_8(name)
        if len(values) > 1:
            raise errors.bad_argument(f"{name} is given more than once")
        return values[0] or None if values else None


def read_form(body: bytes, content_type: str, pictures: int = 1) -> dict[str, list[bytes]]:
    """Return the parts of a multipart/form-data body by name; file names and headers of parts are ignored.

    Parameters
    ----------
    pictures
        How many there may be.

    Raises
    ------
    ServiceError
        1005 when the body is no such form or is cut off; 1004 (413) when it is larger than the pictures may be.
    """
    kind, options = parse_options_header(content_type)
    if kind != "multipart/form-data":
        raise not_a_form()
    boundary = options.get("boundary", "")
    if not 0 < len(boundary) <= MAX_BOUNDARY_CHARACTERS or not boundary.isascii():
        raise errors.upload_error("the multipart boundary is missing or not valid")
    too_large = len(body) > pictures * MAX_IMAGE_BYTES + MAX_FORM_OVERHEAD_BYTES
    try:
        parts = _parts(body, boundary)
    except (MultipartError, ValueError, LookupError) as error:
        if too_large:
            raise decoding.too_many_bytes() from None
        if isinstance(error, ParserLimitReached):
            raise errors.upload_error(f"the form has more than {MAX_FORM_PARTS} parts, or headers too long") from None
        raise errors.upload_error("the multipart body is malformed or cut off") from None
    if too_large:
        raise decoding.too_many_bytes(max((part for values in parts.values() for part in values), key=len, default=b""))
    return parts


def not_utf_8(name: str) -> errors.ServiceError:
    return errors.bad_argument(f"{name} must be UTF-8 text")


def not_a_form() -> errors.ServiceError:
    return errors.upload_error("the body must be multipart/form-data")


class _PartParser(PushMultipartParser):  # type: ignore[misc]  # the library has no types
    """Reads Content-Disposition alone: RFC 7578, 4.8, has the other headers of a part ignored, so none refuses it."""

    _reads = False

    def _on_segment_headerline(self, line: bytes) -> None:
        if line[:1] not in b" \t":  # otherwise it continues the line before
            self._reads = line.partition(b":")[0].strip().lower() == b"content-disposition"
        if self._reads:
            super()._on_segment_headerline(line)


def _parts(body: bytes, boundary: str) -> dict[str, list[bytes]]:
    parts: dict[str, list[bytes]] = {}
    chunks: list[bytes] = []
    with _PartParser(
        boundary,
        max_segment_count=MAX_FORM_PARTS,
        max_header_count=8,
        max_header_size=4096,
        # File names come in any charset. The names of the arguments are ASCII, which Latin-1 reads rightly.
        header_charset="latin-1",
        strict=False,
    ) as parser:
        for event in (*parser.parse(body), *parser.parse(b"")):
            if isinstance(event, MultipartSegment):
                chunks, name = [], event.name
                if not name:
                    raise MultipartError("a part has no name")
                parts.setdefault(name, []).append(b"")
            elif event:
                chunks.append(bytes(event))
            else:
                parts[name][-1] = b"".join(chunks)
    return parts
