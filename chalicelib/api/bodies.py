"""Reads the bodies of requests: multipart forms, URL-encoded forms, and JSON objects."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NoReturn
from urllib.parse import unquote_to_bytes

from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser, parse_options_header

from chalicelib import errors
from chalicelib.api.reply_bytes import MAX_OTHER_BYTES, MAX_PAYLOAD_BYTES
from chalicelib.errors import ServiceError
from chalicelib.images import decoding
from chalicelib.settings import current_settings

MULTIPART, URL_ENCODED, JSON = "multipart/form-data", "application/x-www-form-urlencoded", "application/json"
# Allows for a form's boundaries, part headers and other fields.
MAX_FORM_OVERHEAD_BYTES = 64 * 1024
MAX_FORM_PARTS = 16
MAX_BOUNDARY_CHARACTERS = 200
# Each may cost as much memory as a small Python object, and brackets may be nested. Those within texts count too.
MAX_JSON_BRACKETS, MAX_JSON_COMMAS = 100, 4096
UNESCAPED_AT_ONCE = 64 * 1024
# Stands for a JSON object, or a list in a list. It is no UTF-8, so every argument refuses it.
NOT_TEXT = b"\xff not text"

# A request's event has the same limit as a reply, and the address and the headers take a part of it. API Gateway puts a
# multipart form into it as base64, and other bodies as text.
_MAX_TEXT_BYTES = MAX_PAYLOAD_BYTES - MAX_OTHER_BYTES
_MAX_BYTES = {MULTIPART: _MAX_TEXT_BYTES * 3 // 4, URL_ENCODED: _MAX_TEXT_BYTES, JSON: _MAX_TEXT_BYTES}

Parts = dict[str, list[bytes]]


def read_body(body: bytes, content_type: str, pictures: int = 1, listed: int = 0) -> Parts:
    """Return the fields of a form, or the members of a JSON object, by name.

    A multipart form's file names and part headers are ignored. JSON numbers and booleans become their text, null is no
    value, and a list is several values.

    Parameters
    ----------
    pictures
        The largest number of pictures in the body.
    listed
        The largest number of values of a list in the body. A form may have so many more parts.

    Raises
    ------
    ServiceError
        1005 when the body is of another type, malformed or cut off; 1004 (413) when it exceeds the size limit for its
        number of pictures, or what Lambda carries.
    """
    kind, options = parse_options_header(content_type)
    if kind not in _READERS:
        raise unknown_type()
    # Base64 takes 4 bytes for 3. Line ends, and escapes in a URL-encoded form, take up to an eighth more.
    enough = pictures * current_settings().max_image_bytes * 3 // 2 + MAX_FORM_OVERHEAD_BYTES
    carried = _MAX_BYTES[kind]
    try:
        parts = _READERS[kind](body, options, MAX_FORM_PARTS + listed)
    except ServiceError:
        if len(body) > min(enough, carried):
            raise decoding.too_many_bytes() from None
        raise
    if len(body) > enough:
        raise decoding.too_many_bytes(max((part for values in parts.values() for part in values), key=len, default=b""))
    if len(body) > carried:
        raise _too_many_bytes(kind, carried)
    return parts


def unknown_type() -> ServiceError:
    return errors.upload_error(f"the body must be {MULTIPART}, {URL_ENCODED} or {JSON}")


def _too_many_bytes(kind: str, most: int) -> ServiceError:
    each = current_settings().max_image_bytes
    return errors.file_error(f"a {kind} body may have at most {most} bytes, and each picture {each}", status=413)


class _PartParser(PushMultipartParser):  # type: ignore[misc]  # the library has no types
    """Reads only Content-Disposition. RFC 7578, 4.8, ignores a part's other headers, so a bad one refuses no form."""

    _reads = False

    def _on_segment_headerline(self, line: bytes) -> None:
        if line[:1] not in b" \t":  # otherwise the line continues the one before
            self._reads = line.partition(b":")[0].strip().lower() == b"content-disposition"
        if self._reads:
            super()._on_segment_headerline(line)


def _multipart(body: bytes, options: Mapping[str, str], most_parts: int) -> Parts:
    boundary = options.get("boundary", "")
    if not 0 < len(boundary) <= MAX_BOUNDARY_CHARACTERS or not boundary.isascii():
        raise errors.upload_error("the multipart boundary is missing or not valid")
    try:
        return _parts(body, boundary, most_parts)
    except ParserLimitReached:
        raise errors.upload_error(f"the form has more than {most_parts} parts, or headers that are too long") from None
    except (MultipartError, ValueError, LookupError):
        raise errors.upload_error("the multipart body is malformed or cut off") from None


def _parts(body: bytes, boundary: str, most_parts: int) -> Parts:
    parts: Parts = {}
    chunks: list[bytes] = []
    with _PartParser(
        boundary,
        max_segment_count=most_parts,
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


def _url_encoded(body: bytes, _: Mapping[str, str], most_parts: int) -> Parts:
    pairs = body.split(b"&", most_parts)
    if len(pairs) > most_parts:
        raise errors.upload_error(f"the form has more than {most_parts} fields")
    parts: Parts = {}
    for name, _equals, value in (pair.partition(b"=") for pair in pairs):
        parts.setdefault(_unescaped(name).decode("latin-1"), []).append(_unescaped(value))
    return parts


def _unescaped(text: bytes) -> bytes:
    """Return a name or a value without escapes. Python takes 75 bytes for each byte that it unescapes at once."""
    text = text.replace(b"+", b" ")
    plain, start = bytearray(), 0
    while start < len(text):
        end = start + UNESCAPED_AT_ONCE
        escape = text.rfind(b"%", end - 2, end)
        if escape != -1:
            end = escape
        plain += unquote_to_bytes(text[start:end])
        start = end
    return bytes(plain)


class _Members(list[tuple[str, Any]]):
    """The members of a JSON object, in which names may be repeated."""


def _json(body: bytes, options: Mapping[str, str], _: int) -> Parts:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise _not_utf_8() from None
    if options.get("charset", "utf-8").lower() != "utf-8":
        raise _not_utf_8()
    if text.count("{") + text.count("[") > MAX_JSON_BRACKETS or text.count(",") > MAX_JSON_COMMAS:
        raise errors.upload_error(
            f"the JSON has more than {MAX_JSON_BRACKETS} opening brackets, or {MAX_JSON_COMMAS} commas"
        )
    try:
        members = json.loads(
            text, object_pairs_hook=_Members, parse_int=str, parse_float=str, parse_constant=_refuse_constant
        )
    except ValueError:
        raise errors.upload_error("the JSON is malformed or cut off") from None
    if not isinstance(members, _Members):
        raise errors.upload_error("the JSON must be an object")
    parts: Parts = {}
    for name, value in members:
        parts.setdefault(name, []).extend(_texts(value))
    return parts


def _refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and Infinity, which Python reads and JSON does not have."""
    raise ValueError(name)


def _texts(value: Any) -> list[bytes]:
    if isinstance(value, list) and not isinstance(value, _Members):
        return [text for item in value for text in ([NOT_TEXT] if isinstance(item, list) else _texts(item))]
    if value is None:
        return []
    if isinstance(value, bool):
        return [b"true" if value else b"false"]
    # Half of a surrogate pair, which JSON can escape, becomes bytes that are no UTF-8.
    return [value.encode("utf-8", "surrogatepass") if isinstance(value, str) else NOT_TEXT]


def _not_utf_8() -> ServiceError:
    return errors.upload_error("the JSON must be UTF-8")


_READERS: dict[str, Callable[[bytes, Mapping[str, str], int], Parts]] = {
    MULTIPART: _multipart,
    URL_ENCODED: _url_encoded,
    JSON: _json,
}
