"""Hostile requests as bytes: hostile contents, wrong framing, and requests that no HTTP library would send."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random
from urllib.parse import quote

from tests.harness.hostile.requests import forms, routes
from tests.harness.hostile.requests.values import LARGE_CHARACTERS

# The statuses that a route may answer for any arguments.
BY_ROUTES = frozenset((200, 304, 400, 404, 411, 413, 415, 422))
# The statuses before a route is reached.
UNREADABLE = frozenset((400,))
FORM = f"Content-Type: {forms.PREFIX}hostile"


@dataclass(frozen=True)
class Attack:
    """The bytes for one new connection, and the allowed statuses of the answer.

    `tail` has the allowed statuses for left-over bytes, which are read as another request.
    """

    name: str
    data: bytes
    statuses: frozenset[int]
    tail: frozenset[int] = frozenset()


def attack(seed: int, number: int, known: str, picture: bytes) -> Attack:
    """Return the attack of a number; `known` is the token of a known face, `picture` a JPEG."""
    return KINDS[number % len(KINDS)](Random(f"{seed}/{number}"), known, picture)


def reaches_a_route(number: int) -> bool:
    """Return whether any HTTP server would pass the attack of a number to a route."""
    return KINDS[number % len(KINDS)] in (arguments, mutated_form)


def head(method: str, target: str, headers: Iterable[str] = (), version: str = "HTTP/1.1") -> bytes:
    return "\r\n".join((f"{method} {target} {version}", "Host: localhost", *headers, "", "")).encode(
        "latin-1", "replace"
    )


def arguments(random: Random, known: str, picture: bytes) -> Attack:
    """Hostile values in the query, in the path, and in a well-formed body."""
    method, path, parameters, given = routes.request(random, known)
    target = routes.filled(path, parameters)
    if method in ("POST", "PUT") and random.random() < 0.7:
        fields = [("image_base64", base64.b64encode(picture))] if random.random() < 0.3 else []
        kind, body = forms.carried(random, [*fields, *((name, text.encode()) for name, text in given)])
        headers = (f"Content-Type: {kind}", f"Content-Length: {len(body)}")
        return Attack(f"form of {method}", head(method, target, headers) + body, BY_ROUTES)
    query = "&".join(f"{quote(name)}={quote(text)}" for name, text in given)
    return Attack(f"query of {method}", head(method, f"{target}?{query}"), BY_ROUTES)


def mutated_form(random: Random, known: str, picture: bytes) -> Attack:
    name, content_type, body = forms.form(random, picture)
    method, path = random.choice(
        (("POST", "/detect"), ("POST", "/search"), ("POST", "/compare"), ("PUT", f"/faces/{known}"))
    )
    headers = [f"Content-Length: {len(body)}"] + ([f"Content-Type: {content_type}"] if content_type else [])
    return Attack(name, head(method, path, headers) + body, BY_ROUTES)


def length(random: Random, known: str, picture: bytes) -> Attack:
    """A wrong or invalid Content-Length."""
    body = forms.body([forms.field("image_file", picture)])
    size = len(body)
    wrong: tuple[tuple[str, list[str], frozenset[int]], ...] = (
        ("negative", ["-1"], UNREADABLE),
        (
            "no number",
            [random.choice(("ten", "1e3", "0x10", "+5", "1_0", "5 5", "\xb2", "5;", "NaN", "5\r\n 6"))],
            UNREADABLE,
        ),
        ("a list", [f"{size}, {size}"], UNREADABLE),
        ("twice the same", [str(size)] * 2, UNREADABLE),
        ("two", [random.choice(("0", str(size - 1), str(size + 1))), str(size)], UNREADABLE),
        ("huge", [random.choice(("10485761", "9" * 18, "9" * 5000, "18446744073709551616"))], frozenset((413,))),
        ("long", [str(size + random.randrange(1, 10_000))], UNREADABLE),
        ("short", [str(random.randrange(size))], UNREADABLE),
        ("none", [], UNREADABLE),
    )
    name, lengths, statuses = random.choice(wrong)
    headers = [FORM, *(f"Content-Length: {one}" for one in lengths)]
    random.shuffle(headers)
    return Attack(f"length: {name}", head("POST", "/detect", headers) + body, statuses, UNREADABLE)


def transfer_encoding(random: Random, known: str, picture: bytes) -> Attack:
    """Chunked bodies, which are refused, with lengths and with headers that only some readers recognise."""
    smuggled = head("GET", f"/removeface?face_token={known}")
    body = b"0\r\n\r\n" + smuggled
    spelt = random.choice(
        ("chunked", "Chunked", "identity", "gzip, chunked", "xchunked", "", " chunked", "chunked\t", "\x0bchunked")
    )
    lengths = random.choice(((), (f"Content-Length: {len(body)}",), ("Content-Length: 5",)))
    name, statuses = random.choice(
        (
            ("Transfer-Encoding", 411),
            ("transfer-encoding", 411),
            ("Transfer-Encoding ", 400),
            (" Transfer-Encoding", 400),
        )
    )
    first = f"{name}: {spelt}"
    headers = [FORM, *lengths, first] if random.random() < 0.5 else [first, FORM, *lengths]
    return Attack("transfer encoding", head("POST", "/detect", headers) + body, frozenset((statuses,)))


def request_line(random: Random, known: str, picture: bytes) -> Attack:
    lines: tuple[tuple[str, bytes, frozenset[int]], ...] = (
        ("HTTP/0.9", random.choice((b"GET /health\r\n", b"GET /health", b"POST /detect\r\n\r\n")), UNREADABLE),
        (
            "version",
            head(
                "GET",
                "/health",
                version=random.choice(("HTTP/2.0", "HTTP/9", "http/1.1", "HTTP/1.1.1", "HTTP/-1.1", "HTTP/", "X")),
            ),
            UNREADABLE,
        ),
        ("spaces", head("GET", random.choice(("/health x", "/search?face_name=A B", "/ /", ""))), UNREADABLE),
        ("empty lines", b"\r\n" * random.randrange(1, 50), UNREADABLE),
        ("TLS", bytes.fromhex("16030100c8010000c40303") + random.randbytes(60).replace(b"\n", b""), UNREADABLE),
        ("noise", random.randbytes(random.randrange(1, 500)).replace(b"\n", b""), UNREADABLE),
        ("no end", head("GET", "/health")[: random.randrange(1, 40)], UNREADABLE),
        ("long", head("GET", "/" + "a" * random.choice((65_536, 100_000, LARGE_CHARACTERS))), frozenset((414,))),
        (
            "long query",
            head("GET", "/faces?name=" + "%00" * random.choice((30_000, LARGE_CHARACTERS // 3))),
            frozenset((414,)),
        ),
        (
            "escapes",
            head(
                "GET",
                random.choice(
                    ("/faces/%", "/faces/%zz", "/faces/%ff%fe", "/%2e%2e/health", "/faces/%00", "/faces/%ud800")
                ),
            ),
            frozenset((400, 404)),
        ),
        (
            "query",
            head(
                "GET",
                "/faces?"
                + random.choice(
                    ("%", "name=%", "&&&", "=", "name=%ff", "name=%ed%a0%80", ";", "name", "name=a&name=b")
                ),
            ),
            frozenset((200, 400)),
        ),
        (
            "strange bytes",
            head("GET", "/" + random.choice(("\x00", "\xff", "\x7f", "health\x00", "\x1b[2J"))),
            frozenset((404,)),
        ),
        (
            "absolute",
            head(
                "GET",
                random.choice(
                    ("http://localhost/nothing", "http://[::1/health", "//localhost/nothing", "localhost:80")
                ),
            ),
            frozenset((404,)),
        ),
        ("asterisk", head(random.choice(("OPTIONS", "GET")), "*"), frozenset((404,))),
    )
    name, data, statuses = random.choice(lines)
    return Attack(f"request line: {name}", data, statuses, UNREADABLE)


def method(random: Random, known: str, picture: bytes) -> Attack:
    strange = (
        "TRACE",
        "CONNECT",
        "PROPFIND",
        "PATCH",
        "OPTIONS",
        "get",
        "Get",
        "G\0ET",
        "\xff",
        "GET/",
        "A" * 5000,
        "__class__",
    )
    name = random.choice(strange)
    _, path = random.choice(routes.ROUTES)
    target = path.replace("{face_token}", known).replace("{face_set}", "staff")
    if random.random() < 0.1:
        return Attack("HEAD", head("HEAD", target, ("Connection: close",)), BY_ROUTES | {405})
    return Attack("method", head(name, target, ("Connection: close",)), frozenset((405,)))


def headers(random: Random, known: str, picture: bytes) -> Attack:
    floods: tuple[tuple[str, list[str], frozenset[int]], ...] = (
        ("many", [f"X{number}: x" for number in range(random.choice((101, 1000, 20_000)))], frozenset((431,))),
        ("long", ["X: " + "x" * random.choice((65_537, 1_000_000, LARGE_CHARACTERS))], frozenset((431,))),
        (
            "no header",
            [random.choice(("no colon", "name : value", "\x00: x", "x y: z", "\xff: x", "(: )"))],
            frozenset((200, 400)),
        ),
        ("just acceptable", [f"X{number}: {'x' * 60_000}" for number in range(90)], frozenset((200,))),
        (
            "strange",
            [f"{random.choice(NAMES)}: {random.choice(TEXTS)}" for _ in range(random.randrange(20))],
            frozenset((200, 304, 400, 417)),  # 400 for a second Host
        ),
    )
    name, lines, statuses = random.choice(floods)
    return Attack(f"headers: {name}", head("GET", "/health", lines), statuses)


def strange_headers_of_a_form(random: Random, known: str, picture: bytes) -> Attack:
    body = forms.body([forms.field("image_file", picture)])
    lines = [f"{random.choice(NAMES)}: {random.choice(TEXTS)}" for _ in range(random.randrange(20))]
    lines = [line for line in lines if not line.startswith(("Content-Type", "Expect"))]
    return Attack(
        "strange headers",
        head("POST", "/detect", (FORM, f"Content-Length: {len(body)}", *lines)) + body,
        BY_ROUTES | {403},  # a foreign Origin is refused
    )


NAMES = (
    *(
        "Accept",
        "Accept-Encoding",
        "Accept-Charset",
        "Authorization",
        "Connection",
        "Content-Encoding",
        "Content-Type",
        "Cookie",
    ),
    *(
        "Expect",
        "Forwarded",
        "Host",
        "If-Match",
        "If-None-Match",
        "Origin",
        "Range",
        "Referer",
        "TE",
        "Trailer",
        "Upgrade",
    ),
    *("User-Agent", "X-Api-Key", "X-Forwarded-For", "X-Forwarded-Host", "X-HTTP-Method-Override", "X-Original-URL"),
)
TEXTS = (
    *(
        "",
        "*/*",
        "image/jpeg",
        "gzip",
        "DELETE",
        "\xff",
        "\x00",
        "a" * 8000,
        "bytes=0-99999999999",
        "100-continue",
        "close",
    ),
    *(
        "keep-alive, upgrade",
        "websocket",
        "Basic !!!",
        "AWS4-HMAC-SHA256",
        "${jndi:ldap://127.0.0.1/a}",
        "' OR 1=1",
        "(" * 500,
    ),
    *("localhost:0:0", "null", '"' * 9, "W/", "text/html;q=nan", "/removeface"),
)
KINDS: tuple[Callable[[Random, str, bytes], Attack], ...] = (
    *(arguments, arguments, arguments, arguments, mutated_form, mutated_form, mutated_form, length, transfer_encoding),
    *(request_line, request_line, method, headers, strange_headers_of_a_form),
)
