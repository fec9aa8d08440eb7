"""Bodies of each type, and content types, that repeat each kind of structure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from chalicelib.api.bodies import MAX_BOUNDARY_CHARACTERS
from chalicelib.settings import CONTRACT_IMAGE_BYTES

# The size of two pictures. A request's headers may have 10,240 bytes at API Gateway, and 64 KiB a line locally.
MAX_FORM_BYTES = 2 * CONTRACT_IMAGE_BYTES
MAX_HEADER_BYTES = 64 * 1024
PART = b'--b\r\nContent-Disposition: form-data; name="face_token"'
LAST = b"\r\n--b--\r\n"


class Form(NamedTuple):
    name: str
    content_type: str
    body: bytes


def forms() -> Iterator[Form]:
    yield from boundaries()
    yield from headers()
    yield from content_types()
    yield from texts()
    yield from url_encoded()
    yield from documents()


def boundaries() -> Iterator[Form]:
    """Near-boundaries, for a short boundary and a long one that repeats one character."""
    for boundary in ("b", "-" * MAX_BOUNDARY_CHARACTERS, "ab" * (MAX_BOUNDARY_CHARACTERS // 2)):
        delimiter = b"\r\n--" + boundary.encode()
        head = delimiter[2:] + PART[3:] + b"\r\n\r\n"
        for repeated in (
            delimiter[:-1] + b"x",
            delimiter[:-1],
            delimiter + b"x",
            b"\r\n--",
            b"\r\n",
            b"\r",
            b"-",
            b"a",
            b"\0",
        ):
            for tail in (delimiter + b"--\r\n", b""):
                body = _filled(head, repeated, tail)
                yield Form(f"{repeated[:8]!r} for {boundary[:3]}", f"multipart/form-data; boundary={boundary}", body)
        yield Form("before the first", f"multipart/form-data; boundary={boundary}", _filled(b"", delimiter[2:-1], b""))


def headers() -> Iterator[Form]:
    """Parts, headers of parts and continued lines, as many as fit."""
    folded = b"\r\n ;" * 1_000
    lines = {
        "parts": PART + b"\r\n\r\nx\r\n",
        "parts without an end": PART + b"\r\n",
        "lines": b"X: x\r\n",
        "line ends": b"\r\n",
        "folded": PART
        + folded
        + b"".join(b"\r\nX%d: x%b" % (number, folded) for number in range(7))
        + b"\r\n\r\nx\r\n",
    }
    for name, repeated in lines.items():
        yield Form(name, "multipart/form-data; boundary=b", _filled(b"", repeated, LAST))
        yield Form(f"{name}, 16 times", "multipart/form-data; boundary=b", repeated * 16 + LAST[2:])
        yield Form(f"{name} in a part", "multipart/form-data; boundary=b", _filled(PART + b"\r\n", repeated, LAST))
    for repeated in (
        b"; a=b",
        b'; a="',
        b'; a="\\',
        b'"',
        b"\\",
        b";",
        b" ",
        b"; a",
        b"a",
        "é".encode(),
        b"\xff",
        b"\0",
    ):
        header = PART + repeated * (3_900 // len(repeated)) + b"\r\n\r\nx\r\n"
        yield Form(f"{repeated!r} in headers", "multipart/form-data; boundary=b", header * 16 + LAST[2:])
        yield Form(f"{repeated!r} in a header", "multipart/form-data; boundary=b", _filled(PART, repeated, LAST))


def content_types() -> Iterator[Form]:
    for repeated in (
        "; a=b",
        '; a="',
        '; a="\\',
        '"',
        "\\",
        "\\\\",
        ";",
        " ",
        "; a",
        "a",
        "=",
        "; boundary=b",
        "é",
        "\0",
    ):
        for start in ("multipart/form-data", "multipart/form-data; boundary=", 'multipart/form-data; boundary="', ""):
            yield Form(f"{start}{repeated}", start + repeated * (MAX_HEADER_BYTES // len(repeated)), b"")


def texts() -> Iterator[Form]:
    """Arguments of megabytes, with every character in the arguments' patterns."""
    patterns = (b"1", b"a", b".", b"-", b"e", b"A", b" ", "é".encode(), b"\xff")
    names = (b"threshold", b"limit", b"face_token", b"face_name", b"face_set", b"cursor", b"name", b"group")
    repetitions = dict.fromkeys(names, patterns) | {b"image_base64": (b"A", b"-", b"=", b"\r\n", b"data:")}
    for name, repeated in ((name, repeated) for name, every in repetitions.items() for repeated in every):
        head = b'--b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n' % name
        yield Form(f"{name!r} of {repeated!r}", "multipart/form-data; boundary=b", _filled(head, repeated, LAST))


def url_encoded() -> Iterator[Form]:
    for repeated in (b"&", b"=", b"a=&", b"%", b"%41", b"%%", b"+"):
        yield Form(f"{repeated!r}", "application/x-www-form-urlencoded", _filled(b"image_base64=", repeated, b""))


def documents() -> Iterator[Form]:
    """JSON, nested and flat, as the body and as a part."""
    for repeated in (b"[", b'{"a":', b'["a",', b"1,", b'"\\u0041', b"9"):
        for start, end in ((b'{"image_base64": ', b"}"), (b'{"face_name": "', b'"}')):
            yield Form(f"{start!r} and {repeated!r}", "application/json", _filled(start, repeated, end))
        yield Form(f"JSON of {repeated!r}", "application/json", _filled(b"", repeated, b""))
        yield Form(
            f"JSON of {repeated!r}, said to be a form", "multipart/form-data; boundary=b", _filled(b"", repeated, b"")
        )
        head = PART + b"\r\nContent-Type: application/json\r\n\r\n"
        yield Form(f"JSON of {repeated!r} in a part", "multipart/form-data; boundary=b", _filled(head, repeated, LAST))


def _filled(head: bytes, repeated: bytes, tail: bytes) -> bytes:
    return head + repeated * ((MAX_FORM_BYTES - len(head) - len(tail)) // len(repeated)) + tail
