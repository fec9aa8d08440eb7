"""Text from real clients arrives unchanged or is refused."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from unicodedata import normalize
from urllib.parse import quote, unquote

import pytest

from tests.e2e import pictures
from tests.e2e.api import form
from tests.e2e.http_api import HttpApi
from tests.e2e.local_stack import LocalStack
from tests.e2e.raw_http import Connection, head
from tests.e2e.real_clients import CLIENTS, ENVIRONMENT, Answer, Client, Curl, Sent
from tests.e2e.refusals import bad_argument

NAMES = (
    "José",
    "Jose\N{COMBINING ACUTE ACCENT}",
    "\u1112\u1161\u11ab",  # a Hangul syllable, decomposed into its letters
    "王小明",
    "ÅsaVoilà",  # contains bytes that are white space in Latin-1
    "🧑‍🚀",
    "שָׁלוֹם",
    "محمد",
    "JosÃ©",
    "%E9",
)
# Names that can only be sent escaped.
ESCAPED_NAMES = ("a\0b", "a&b=c", "a+b", "a#b", "a/b?c", "\t", "100 %")
# Escapes of bytes that are not UTF-8.
NOT_UTF_8 = {
    "Latin-1": "Jos%E9",
    "cut off": "Jos%C3",
    "overlong": "%C0%AF",
    "overlong NUL": "%E0%80%80",
    "half of a surrogate pair": "%ED%A0%80",
    "a surrogate pair in bytes": "%ED%A0%BD%ED%B8%80",
    "beyond Unicode": "%F4%90%80%80",
    "a byte of no character": "%FF",
    "what a decoder left of them": "%EF%BF%BD",
}
UNTOUCHED = "nothing sent"
# The last byte of the last name is a backslash.
FILE_NAMES = [
    "größe.jpg".encode(),
    *(
        "größe.jpg".encode("latin-1"),
        "лицо.jpg".encode("cp1251"),
        "照片.jpg".encode("gbk"),
        "顔の表".encode("shift-jis"),
    ),
]


@pytest.fixture(scope="module")
def token(sqlite_stack: LocalStack) -> Iterator[str]:
    api = HttpApi(sqlite_stack.port)
    token = api.added(pictures.astronaut(), UNTOUCHED)
    yield token
    api.remove(token)
    api.session.close()


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> Client:
    made = request.param()
    assert isinstance(made, Client)
    return made


def addresses(url: str, token: str, escaped: str) -> list[Sent]:
    """Return the requests without a body that name the face in the address."""
    return [
        Sent("GET", f"{url}/addface?face_token={token}&face_name={escaped}"),
        Sent("POST", f"{url}/addface?face_token={token}&face_name={escaped}"),
        Sent("PUT", f"{url}/faces/{token}?face_name={escaped}"),
    ]


def forms(url: str, token: str, name: str) -> list[Sent]:
    return [
        Sent("POST", f"{url}/addface", {"face_token": token, "face_name": name}),
        Sent("PUT", f"{url}/faces/{token}", {"face_name": name}),
    ]


def sent_and_seen(client: Client, url: str, token: str, sent: list[Sent]) -> list[tuple[Answer, str]]:
    """Send each request; return its answer and the face's name afterwards."""
    look = Sent("GET", f"{url}/faces/{token}")
    answers = iter(client.answers([one for request in sent for one in (request, look)]))
    return [(answer, face.body["face_name"]) for answer, face in zip(answers, answers, strict=True)]


def test_names_arrive_as_they_were_sent(client: Client, sqlite_stack: LocalStack, token: str) -> None:
    url = f"http://127.0.0.1:{sqlite_stack.port}"
    cases: list[tuple[str, Sent]] = []
    for name in (*NAMES, *ESCAPED_NAMES):
        # Each request sets its own name, so that its effect differs from the previous request's.
        plain = addresses(url, token, f"{name}1") if name in NAMES and "%" not in name else []
        escaped = addresses(url, token, f"{quote(name, safe='')}2")
        in_forms = forms(url, token, f"{name}3") if client.has_forms and "\0" not in name else []
        for number, requests in enumerate((plain, escaped, in_forms), start=1):
            cases += [(normalize("NFC", f"{name}{number}"), request) for request in requests]

    results = sent_and_seen(client, url, token, [request for _, request in cases])

    wrong = [
        (request.method, request.url, answer, seen)
        for (name, request), (answer, seen) in zip(cases, results, strict=True)
        if answer.status != 200 or seen != name
    ]
    assert wrong == []


def test_a_face_is_found_by_its_name(client: Client, sqlite_stack: LocalStack, token: str) -> None:
    url = f"http://127.0.0.1:{sqlite_stack.port}"
    names = [name for name in NAMES if "%" not in name]
    sent = [
        one
        for name in names
        for one in (
            Sent("PUT", f"{url}/faces/{token}?face_name={quote(name)}"),
            Sent("GET", f"{url}/faces?name={name}"),
            Sent("GET", f"{url}/faces?name={quote(normalize('NFD', name))}"),
        )
    ]
    answers = iter(client.answers(sent))

    for name, _, raw, decomposed in zip(names, answers, answers, answers, strict=True):
        for found in (raw, decomposed):
            assert [face["face_token"] for face in found.body["faces"]] == [token], name


def test_text_that_is_not_utf_8_changes_nothing(client: Client, sqlite_stack: LocalStack, token: str) -> None:
    url = f"http://127.0.0.1:{sqlite_stack.port}"
    reset = Sent("PUT", f"{url}/faces/{token}?face_name={quote(UNTOUCHED)}")
    sent = [request for escaped in NOT_UTF_8.values() for request in addresses(url, token, escaped)]

    _, *results = sent_and_seen(client, url, token, [reset, *sent])

    for request, (answer, seen) in zip(sent, results, strict=True):
        assert (answer.status, answer.body) == (400, bad_argument("face_name must be UTF-8 text")), request
        assert seen == UNTOUCHED, request


@pytest.mark.parametrize("name", FILE_NAMES)
def test_curl_sends_a_file_name_in_any_charset(sqlite_stack: LocalStack, tmp_path: Path, name: bytes) -> None:
    """On Windows, file names are in the system's code page."""
    Curl()
    picture = tmp_path / "picture"
    picture.write_bytes(pictures.drawing())
    address = f"http://127.0.0.1:{sqlite_stack.port}/detect"
    file = b"image_file=@" + bytes(picture) + b";filename=" + name + b";type=image/" + name
    done = subprocess.run(["curl", "-sS", "-F", file, address], env=ENVIRONMENT, capture_output=True, check=True)

    assert json.loads(done.stdout)["face_num"] == 1


@pytest.mark.parametrize("name", FILE_NAMES)
@pytest.mark.parametrize("header", ["Cookie", "User-Agent", "Referer", "X-Unknown"])
def test_unused_headers_may_be_in_any_charset(sqlite_stack: LocalStack, header: str, name: bytes) -> None:
    content_type, body = form(("image_file", pictures.drawing()), (header, "value"))
    # In Latin-1, the first two are line ends.
    value = (b"a=\x85\x1c" + name).decode("latin-1")
    headers = (f"{header}: {value}", f"Content-Type: {content_type}", f"Content-Length: {len(body)}")
    with Connection(sqlite_stack.port) as connection:
        connection.send(head("POST", "/detect", *headers, "Connection: close") + body)

        assert connection.status() == 200
        assert connection.body()["face_num"] == 1


@pytest.mark.parametrize("kind", NOT_UTF_8)
@pytest.mark.parametrize("parameter", ["face_token", "face_name", "face_set", "quality_filter"])
def test_raw_bytes_that_are_not_utf_8(sqlite_stack: LocalStack, token: str, kind: str, parameter: str) -> None:
    """HTTP libraries that take bytes send them like this; Node's `http.get` does for any Latin-1 name."""
    arguments = {"face_token": token, parameter: unquote(NOT_UTF_8[kind], "latin-1")}
    query = "&".join(f"{name}={value}" for name, value in arguments.items())
    with Connection(sqlite_stack.port) as connection:
        connection.send(head("GET", f"/addface?{query}", "Connection: close"))

        assert connection.status() == 400
        assert connection.body() == bad_argument(f"{parameter} must be UTF-8 text")


@pytest.mark.parametrize(
    ("path", "parameter"),
    [("/faces/{}", "face_token"), ("/faces/{}/crop", "face_token"), ("/faces?cursor={}", "cursor")],
)
@pytest.mark.parametrize("kind", NOT_UTF_8)
def test_a_path_or_a_cursor_that_is_not_utf_8(sqlite_stack: LocalStack, path: str, parameter: str, kind: str) -> None:
    for sent in (NOT_UTF_8[kind], unquote(NOT_UTF_8[kind], "latin-1")):
        with Connection(sqlite_stack.port) as connection:
            connection.send(head("GET", path.format(sent), "Connection: close"))

            assert connection.status() == 400
            assert connection.body() == bad_argument(f"{parameter} must be UTF-8 text")
