"""Malformed multipart forms, URL-encoded forms and JSON, and well-formed ones with hostile values."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from random import Random
from urllib.parse import quote_from_bytes

Part = tuple[str, bytes]
"""A part's headers without the empty line after them, and its content."""

BOUNDARY = b"hostile"
PREFIX = "multipart/form-data; boundary="
URL_ENCODED, JSON = "application/x-www-form-urlencoded", "application/json"


def field(name: str, content: bytes, more: str = "") -> Part:
    return f'Content-Disposition: form-data; name="{name}"{more}', content


def body(parts: list[Part], boundary: bytes = BOUNDARY, end: bytes = b"--\r\n", newline: bytes = b"\r\n") -> bytes:
    joined = b"".join(
        b"--" + boundary + newline + headers.encode("utf-8", "surrogatepass") + 2 * newline + content + newline
        for headers, content in parts
    )
    return joined + b"--" + boundary + end


def carried(random: Random, fields: list[tuple[str, bytes]]) -> tuple[str, bytes]:
    """Return the content type and the bytes of a well-formed body of any type; the text may be no UTF-8."""
    kind = random.choice((PREFIX + BOUNDARY.decode(), URL_ENCODED, JSON))
    if kind == JSON:
        texts = [(name, value.decode("utf-8", "surrogatepass")) for name, value in fields]
        return kind, ("{" + ", ".join(f"{json.dumps(name)}: {json.dumps(text)}" for name, text in texts) + "}").encode()
    escaped = [(quote_from_bytes(name.encode()), value) for name, value in fields]
    if kind == URL_ENCODED:
        return kind, "&".join(f"{name}={quote_from_bytes(value)}" for name, value in escaped).encode()
    return kind, body([field(name, value) for name, value in escaped])


def form(random: Random, picture: bytes) -> tuple[str, str, bytes]:
    """Return a malformed form: its flaw, its content type and its bytes."""
    mutate = random.choice(MUTATIONS)
    content_type, content = mutate(
        random, [field("image_file", picture, '; filename="a.jpg"'), field("threshold", b"0.65")]
    )
    return mutate.__name__, content_type, content


def no_boundary(random: Random, parts: list[Part]) -> tuple[str, bytes]:
    return random.choice(
        ("multipart/form-data", PREFIX, PREFIX + '""', PREFIX + "\xff", "multipart/form-data; boundary")
    ), body(parts)


def another_boundary(random: Random, parts: list[Part]) -> tuple[str, bytes]:
    return PREFIX + random.choice(("other", "hostil", "hostile-", "--hostile", "'hostile'")), body(parts)


def long_boundary(random: Random, parts: list[Part]) -> tuple[str, bytes]:
    boundary = "b" * random.choice((70, 71, 200, 201, 5000))
    return PREFIX + boundary, body(parts, boundary.encode())


def strange_content_type(random: Random, parts: list[Part]) -> tuple[str, bytes]:
    strange = (
        *(
            "Multipart/Form-Data; Boundary=hostile",
            "multipart/form-data;boundary=hostile;boundary=other",
            PREFIX + '"hostile',
        ),
        *("multipart/mixed; boundary=hostile", "multipart/form-data, " + PREFIX + "hostile", ";" + PREFIX + "hostile"),
        *(
            "multipart/form-data; boundary*=utf-8''hostile",
            PREFIX + "hostile; charset=utf-7",
            PREFIX + "hostile" + "; a=b" * 500,
        ),
    )
    return random.choice(strange), body(parts)


def cut_off(random: Random, parts: list[Part]) -> tuple[str, bytes]:
    whole = body(parts)
    return PREFIX + "hostile", whole[: random.randrange(len(whole))]


def no_end(random: Random, parts: list[Part]) -> tuple[str, bytes]:
    return PREFIX + "hostile", body(parts, end=random.choice((b"", b"-", b"\r\n", b"--", b"--" + bytes(1000))))


def bare_newlines(random: Random, parts: list[Part]) -> tuple[str, bytes]:
    return PREFIX + "hostile", body(parts, newline=random.choice((b"\n", b"\r", b"\n\r", b"\0")))


def nested(random: Random, parts: list[Part]) -> tuple[str, bytes]:
    for depth in range(random.randrange(1, 20)):
        inner = f"inner{depth}"
        headers = (
            f'Content-Disposition: form-data; name="image_file"\r\nContent-Type: multipart/mixed; boundary={inner}'
        )
        parts = [(headers, body(parts, inner.encode()))]
    return PREFIX + "hostile", body(parts)


def thousands_of_parts(random: Random, parts: list[Part]) -> tuple[str, bytes]:
    many = [field(f"field{number}", b"") for number in range(random.choice((15, 17, 1000, 5000)))]
    return PREFIX + "hostile", body(many + parts)


def one_name_many_times(random: Random, parts: list[Part]) -> tuple[str, bytes]:
    return PREFIX + "hostile", body(parts + [random.choice(parts)] * random.randrange(1, 20))


def giant_headers(random: Random, parts: list[Part]) -> tuple[str, bytes]:
    (headers, content), *others = parts
    giant = random.choice(("\r\nX: " + "x" * 60_000, "\r\nX: y" * 500, f'; filename="{"f" * 60_000}"'))
    return PREFIX + "hostile", body([(headers + giant, content), *others])


def strange_headers(random: Random, parts: list[Part]) -> tuple[str, bytes]:
    strange = (
        *(
            "",
            "Content-Disposition",
            ": form-data",
            "Content-Disposition: form-data",
            "Content-Disposition: attachment",
        ),
        *(
            'Content-Disposition: form-data; name=""',
            "Content-Disposition: form-data; name",
            "\0: \0",
            " folded",
            "X: \ud800",
        ),
        *(
            'Content-Disposition: form-data; name="image_file',
            "Content-Disposition: form-data; name*=utf-8''image_file",
        ),
        'Content-Disposition: form-data; name="image_file"\r\nContent-Disposition: form-data; name="threshold"',
        'Content-Disposition: form-data; name="image_file"; filename="/\0.jpg"\r\nContent-Transfer-Encoding: base64',
        'Content-Disposition: form-data; name="image_file"\r\nContent-Type: text/html; charset=no-such',
        'Content-Disposition: form-data; name="image_file"\r\nContent-Length: -5',
        'Content-Disposition: form-data; name="\xff\0\r"',
    )
    return PREFIX + "hostile", body([(random.choice(strange), parts[0][1]), *parts[1:]])


def padded(random: Random, parts: list[Part]) -> tuple[str, bytes]:
    padding = random.choice((b"\r\n", b"--", b"preamble\r\n", bytes(70_000), b"--hostil\r\n" * 1000))
    whole = body(parts)
    return PREFIX + "hostile", random.choice((padding + whole, whole + padding))


def flipped_bytes(random: Random, parts: list[Part]) -> tuple[str, bytes]:
    whole = bytearray(body(parts))
    for _ in range(random.randrange(1, 20)):
        whole[random.randrange(len(whole))] = random.randrange(256)
    return PREFIX + "hostile", bytes(whole)


def no_form(random: Random, parts: list[Part]) -> tuple[str, bytes]:
    content_type = random.choice(
        (
            "",
            "text/plain",
            "application/json",
            "application/x-www-form-urlencoded",
            "image/jpeg",
            "*/*",
            "\xff",
            "a/b;" * 500,
        )
    )
    return content_type, random.choice((b"", b"{}", b'{"face_name": "\\ud800"}', parts[0][1], random.randbytes(1000)))


def malformed_json(random: Random, parts: list[Part]) -> tuple[str, bytes]:
    picture = base64.b64encode(parts[0][1]).decode()
    whole = json.dumps({"image_base64": picture, "threshold": 0.65, "unknown": [{"a": None}]}).encode()
    flaws = (
        whole[: random.randrange(len(whole))],
        whole.replace(b"0.65", random.choice((b"NaN", b"-Infinity", b"1e999", b"9" * 100_000, b"{}", b"[[]]", b"tru"))),
        whole.replace(b"}", random.choice((b",}", b"", b"}}", b"\0}", b', "threshold": 1}'))),
        random.choice((b"\xef\xbb\xbf", b"\0", b"[", b"\xff")) + whole,
        random.choice((b"[", b'{"a":', b'["', b'{"a": [1,')) * random.choice((1, 99, 101, 100_000)),
        whole.decode().encode(random.choice(("utf-16", "utf-32", "utf-7"))),
        random.choice((b"null", b"[]", b'"text"', b"5", b'{"image_base64": "\\ud800"}', b'{"\\ud800": 1}')),
    )
    charset = random.choice(("", "; charset=utf-8", "; charset=utf-16", "; charset=\xff", ";" * 500))
    return JSON + charset, random.choice(flaws)


def malformed_url_encoding(random: Random, parts: list[Part]) -> tuple[str, bytes]:
    picture = base64.b64encode(parts[0][1])
    flaws = (
        b"image_base64=" + picture,  # with unescaped plus signs
        b"image_base64=" + picture.replace(b"+", b"%2B")[: random.randrange(len(picture))] + b"&threshold=0.65",
        b"image_base64=%" + random.choice((b"", b"4", b"zz", b"%" * 100_000, b"00", b"ff" * 10)) + b"&threshold=%ff",
        b"&" * random.choice((15, 17, 1_000_000)) + b"threshold=0.65",
        random.choice((b"=", b"==", b"threshold", b"threshold=1&threshold=1", b"\xff=\xff", b"%00=%00")),
    )
    return URL_ENCODED, random.choice(flaws)


def large_base64(random: Random, parts: list[Part]) -> tuple[str, bytes]:
    text = random.choice((b"A", b"\r\n", b"=", b"-", b"data:")) * random.choice((100_000, 1_500_000, 2_000_000))
    kind, start, end = random.choice(
        (
            (JSON, b'{"image_base64": "', b'"}'),
            (JSON, b'{"face_name": "', b'"}'),
            (URL_ENCODED, b"image_base64=", b""),
        )
    )
    return kind, start + text + end


def large(random: Random, parts: list[Part]) -> tuple[str, bytes]:
    name = random.choice(("image_file", "threshold", "face_name", "face_token", "other"))
    return PREFIX + "hostile", body([field(name, bytes(random.choice((60_000, 2_200_000, 10_000_000))))])


MUTATIONS: tuple[Callable[[Random, list[Part]], tuple[str, bytes]], ...] = (
    *(no_boundary, another_boundary, long_boundary, strange_content_type, cut_off, no_end, bare_newlines, nested),
    *(thousands_of_parts, one_name_many_times, giant_headers, strange_headers, padded, flipped_bytes, no_form, large),
    *(malformed_json, malformed_json, malformed_url_encoding, large_base64),
)
