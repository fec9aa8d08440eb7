"""Reads the arguments of requests from multipart forms and query strings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser, parse_options_header

from chalicelib import errors
from chalicelib.api import fields
from chalicelib.api.fields import Field
from chalicelib.faces import DEFAULT_NAME, DEFAULT_SET, Terms
from chalicelib.images import decoding
from chalicelib.images.decoding import MAX_IMAGE_BYTES
from chalicelib.service.comparison import Picture

# Allows for a form's boundaries, part headers and other fields.
MAX_FORM_OVERHEAD_BYTES = 64 * 1024
MAX_FORM_PARTS = 16
MAX_BOUNDARY_CHARACTERS = 200
Value = TypeVar("Value")


class Arguments:
    """The arguments of one request, from its address and, for a POST or PUT, its form.

    Every getter raises `ServiceError`: 1002 for a required argument that is absent or empty, 1001 for an argument that
    does not parse, is not UTF-8, is out of range or is given more than once.
    """

    def __init__(self, query: Mapping[str, Sequence[str]], form: Mapping[str, Sequence[bytes]] | None = None) -> None:
        self._query = query
        self._form = form

    def image(self) -> bytes:
        """Return the file `image_file` as sent; raise 1005 when the request has no form."""
        if self._form is None:
            raise not_a_form()
        file = self._file("image_file")
        if file is None:
            raise errors.missing_argument("image_file")
        return file

    def token(self) -> str:
        return self._required(fields.FACE_TOKEN)

    def compared(self, number: int) -> str | Picture:
        """Return face 1 or face 2 of a comparison, a token or a picture."""
        picture_name, token_field = f"image_file{number}", fields.token_field(f"face_token{number}")
        file, token = self._file(picture_name), self._optional(token_field)
        if file is not None and token is not None:
            raise errors.bad_argument(f"send either {picture_name} or {token_field.name}, not both")
        if file is not None:
            return Picture(picture_name, file)
        if token is None:
            raise errors.missing_argument(f"{picture_name} or {token_field.name}")
        return token

    def threshold(self) -> str:
        """Return the threshold as sent; `terms` returns the number."""
        self._required(fields.THRESHOLD)
        return str(self._text(fields.THRESHOLD.name))

    def terms(self) -> Terms:
        """Return the options of a search, with the default face set."""
        threshold = self._required(fields.THRESHOLD)
        limit = self._optional(fields.LIMIT) or fields.LIMIT.default
        return Terms(threshold, limit, by_person=self._optional(fields.GROUP) == "name")

    def name(self) -> str:
        return self._optional(fields.FACE_NAME) or DEFAULT_NAME

    def new_name(self) -> str:
        """Return a face's new `face_name`."""
        return self._required(fields.NEW_NAME)

    def person(self) -> str:
        """Return the name of the person in the address."""
        return self._required(fields.PERSON)

    def part(self) -> str:
        """Return the part of the names to list; empty lists all names."""
        return self._optional(fields.PART) or ""

    def at_start(self) -> bool:
        """Return whether `match` is `start`: names must begin with the part."""
        return self._optional(fields.MATCH) == "start"

    def change(self) -> tuple[str | None, str | None]:
        """Return a person's new name and new cover, of which one may be None."""
        name, cover = self._optional(fields.PERSON_NAME) or None, self._optional(fields.COVER)
        if name is None and cover is None:
            raise errors.missing_argument("name or cover")
        return name, cover

    def merge(self) -> bool:
        return self._optional(fields.MERGE) == "true"

    def face_set(self) -> str:
        return self._optional(fields.FACE_SET) or DEFAULT_SET

    def named_face_set(self) -> str:
        """Return the name of the face set to create or delete."""
        return self._required(fields.NEW_FACE_SET)

    def page_limit(self) -> int:
        return self._optional(fields.PAGE_LIMIT) or fields.PAGE_LIMIT.default

    def after(self) -> int:
        """Return the row id that a list's `cursor` encodes; 0 without a cursor."""
        return self.place()[1]

    def place(self) -> tuple[int, int]:
        """Return the row ids of a person and a face that `cursor` encodes, in lists by person; 0 without a cursor."""
        return self._optional(fields.CURSOR) or (0, 0)

    def refuse_poor(self) -> bool:
        """Return whether `quality_filter` is `auto`, which refuses poor faces."""
        return self._optional(fields.QUALITY_FILTER) == "auto"

    def _file(self, name: str) -> bytes | None:
        files = (self._form or {}).get(name, ())
        if len(files) > 1:
            raise errors.bad_argument(f"{name} is given more than once; one picture is accepted")
        return files[0] or None if files else None

    def _required(self, field: Field[Value]) -> Value:
        value = self._optional(field)
        if value is None or value == "":  # a name of white space only
            raise errors.missing_argument(field.name)
        return value

    def _optional(self, field: Field[Value]) -> Value | None:
        text = self._text(field.name)
        return None if text is None else field.parse(text)

    def _text(self, name: str) -> str | None:
        """Return an argument as sent; None when it is absent or empty."""
        try:
            form = self._form or {}
            values = [*self._query.get(name, ()), *(value.decode("utf-8") for value in form.get(name, ()))]
            "".join(values).encode("utf-8")  # fails at half of a surrogate pair, which JSON allows
        except UnicodeError:
            raise not_utf_8(name) from None
        if any(fields.LOST in value for value in values):
            raise not_utf_8(name)
        if len(values) > 1:
            raise errors.bad_argument(f"{name} is given more than once")
        return values[0] or None if values else None


def read_form(body: bytes, content_type: str, pictures: int = 1) -> dict[str, list[bytes]]:
    """Return the parts of a multipart/form-data body by name; ignore file names and part headers.

    Parameters
    ----------
    pictures
        The largest number of pictures in the form.

    Raises
    ------
    ServiceError
        1005 when the body is not a multipart form or is cut off; 1004 (413) when it exceeds the size limit for its
        number of pictures.
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
            raise errors.upload_error(
                f"the form has more than {MAX_FORM_PARTS} parts, or headers that are too long"
            ) from None
        raise errors.upload_error("the multipart body is malformed or cut off") from None
    if too_large:
        raise decoding.too_many_bytes(max((part for values in parts.values() for part in values), key=len, default=b""))
    return parts


def not_utf_8(name: str) -> errors.ServiceError:
    return errors.bad_argument(f"{name} must be UTF-8 text")


def not_a_form() -> errors.ServiceError:
    return errors.upload_error("the body must be multipart/form-data")


class _PartParser(PushMultipartParser):  # type: ignore[misc]  # the library has no types
    """Reads only Content-Disposition. RFC 7578, 4.8, ignores a part's other headers, so a bad one refuses no form."""

    _reads = False

    def _on_segment_headerline(self, line: bytes) -> None:
        if line[:1] not in b" \t":  # otherwise the line continues the one before
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
        # File names come in any charset. Argument names are ASCII, which Latin-1 decodes correctly.
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
