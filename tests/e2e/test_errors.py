"""Replies over HTTP to wrong requests and broken connections."""

from __future__ import annotations

import http.client
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from tests.e2e import pictures
from tests.e2e.api import form, names, tokens
from tests.e2e.http_api import HttpApi
from tests.e2e.local_stack import LocalStack
from tests.e2e.plain_requests import PlainRequests
from tests.e2e.raw_http import Connection, head
from tests.e2e.refusals import (
    TOKEN,
    TOO_MANY_BYTES,
    UNKNOWN_TYPE,
    Refusals,
    assert_refused,
    bad_argument,
    upload_error,
)

MAX_REQUEST_BYTES = 10 * 1024 * 1024
CLIENTS = 64
# The delay of an answer when the end of the previous answer waits for the client's acknowledgement.
DELAYED_ACKNOWLEDGEMENT_SECONDS = 0.04

NO_ADDRESS = bad_argument("there is no such address")
NO_LENGTH = upload_error("the body must come with its Content-Length")
FORM = "Content-Type: multipart/form-data; boundary=b"


class TestRefusals(Refusals):
    smoke_only = True

    @pytest.fixture
    def api(self, sqlite_api: HttpApi) -> HttpApi:
        return sqlite_api


class TestPlainRequests(PlainRequests):
    @pytest.fixture
    def api(self, sqlite_api: HttpApi) -> HttpApi:
        return sqlite_api


class TestAddresses:
    @pytest.mark.parametrize("path", ["/nothing", "/detect/1", "/SEARCH", "/search/%2e%2e", "/api/search"])
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_an_unknown_address(self, sqlite_api: HttpApi, method: str, path: str) -> None:
        assert_refused(sqlite_api.send(method, path, content_type="text/plain", body=b"text"), 404, NO_ADDRESS)

    def test_an_unknown_method(self, sqlite_stack: LocalStack) -> None:
        with Connection(sqlite_stack.port) as connection:
            connection.send(head("BREW", "/detect"))

            assert connection.status() == 405
            assert connection.headers["allow"] == "POST"
            assert connection.body() == bad_argument("this address does not accept that method")

    @pytest.mark.parametrize(("path", "status"), [("/health", 200), ("/detect", 405), ("/nothing", 404)])
    def test_no_body_after_a_head_request(self, sqlite_stack: LocalStack, path: str, status: int) -> None:
        """The next answer follows the head directly."""
        with Connection(sqlite_stack.port) as connection:
            connection.send(head("HEAD", path) + head("GET", "/health", "Connection: close"))

            assert connection.status() == status
            assert int(connection.headers["content-length"]) > 0
            assert connection.status() == 200
            assert connection.body() == {"status": "ok"}

    @pytest.mark.parametrize(
        ("sent", "status"),
        [
            pytest.param(head("GET", "/addface?face_name=Ada Lovelace"), 400, id="a space in the address"),
            pytest.param(head("GET", "/" + "a" * 70_000), 414, id="a long address"),
            pytest.param(head("GET", "/health", "X: " + "a" * 70_000), 431, id="a long header"),
            pytest.param(head("GET", "/health", *(f"X{number}: x" for number in range(101))), 431, id="many headers"),
        ],
    )
    def test_a_request_that_cannot_be_read(self, sqlite_stack: LocalStack, sent: bytes, status: int) -> None:
        with Connection(sqlite_stack.port) as connection:
            connection.send(sent)

            assert connection.status() == status
            assert connection.body() == bad_argument("the request cannot be read")
            assert connection.is_closed()

    def test_an_authorization_header_of_strange_bytes(self, sqlite_stack: LocalStack) -> None:
        """Chalice itself fails at this header."""
        with Connection(sqlite_stack.port) as connection:
            connection.send(head("GET", "/nothing", "Authorization: \xff"))

            assert connection.status() == 404
            assert connection.body() == NO_ADDRESS


class TestBodies:
    @pytest.mark.parametrize("size", [MAX_REQUEST_BYTES + 1, 30 * 1024 * 1024])
    def test_a_picture_of_more_than_10_mb(self, sqlite_api: HttpApi, size: int) -> None:
        assert_refused(sqlite_api.post("/detect", image_file=bytes(size)), 413, TOO_MANY_BYTES)
        assert sqlite_api.get("/health").status == 200

    def test_a_picture_of_less_than_10_mb(self, sqlite_api: HttpApi) -> None:
        assert_refused(sqlite_api.post("/detect", image_file=bytes(10_000_000)), 413, TOO_MANY_BYTES)

    def test_a_client_that_reads_only_after_sending_everything_gets_its_answer(self, sqlite_api: HttpApi) -> None:
        content_type, body = form(("image_file", bytes(MAX_REQUEST_BYTES)))
        for _ in range(10):
            client = http.client.HTTPConnection("127.0.0.1", urlsplit(sqlite_api.url).port or 0, timeout=30)
            client.request("POST", "/detect", body, {"Content-Type": content_type})

            assert client.getresponse().status == 413
            client.close()

    @pytest.mark.parametrize("length", [str(MAX_REQUEST_BYTES + 1), "1000000000000", "9" * 5000])
    def test_a_body_announced_as_too_large_is_refused_at_once(self, sqlite_stack: LocalStack, length: str) -> None:
        with Connection(sqlite_stack.port) as connection:
            connection.send(head("POST", "/detect", FORM, f"Content-Length: {length}") + bytes(1000))

            assert connection.status() == 413
            assert connection.headers["connection"] == "close"
            assert connection.body() == TOO_MANY_BYTES
            assert connection.is_closed()

    @pytest.mark.parametrize("length", ["-1", "1.5", "ten", "0x10", "1_0", "+1"])
    def test_a_content_length_that_is_not_a_number(self, sqlite_stack: LocalStack, length: str) -> None:
        with Connection(sqlite_stack.port) as connection:
            connection.send(head("POST", "/detect", FORM, f"Content-Length: {length}"))

            assert connection.status() == 400
            assert connection.body() == upload_error("Content-Length is not a number")

    @pytest.mark.parametrize("length", [(), ("Content-Length: 0",)])
    @pytest.mark.parametrize("content_type", [(), ("Content-Type: application/x-www-form-urlencoded",), (FORM,)])
    def test_a_request_without_a_length_has_no_body(
        self, sqlite_api: HttpApi, sqlite_stack: LocalStack, length: tuple[str, ...], content_type: tuple[str, ...]
    ) -> None:
        """RFC 9112, 6.3, says so; the connection stays open."""
        token = sqlite_api.added(pictures.drawing(), "Ada")
        requests = [
            ("POST", f"/addface?face_token={token}&face_name=Augusta"),
            ("PUT", f"/faces/{token}?face_name=King"),
            ("POST", "/face_sets?face_set=staff"),
            ("POST", f"/removeface?face_token={token}"),
        ]
        with Connection(sqlite_stack.port) as connection:
            for method, path in requests:
                connection.send(head(method, path, *length, *content_type))

                assert connection.status() == 200
                assert connection.body()["success"] is True
            connection.send(head("POST", "/detect", *length, *content_type))

            assert connection.status() == 400
            assert connection.body() == UNKNOWN_TYPE

    def test_a_chunked_body(self, sqlite_api: HttpApi) -> None:
        content_type, body = form(("image_file", pictures.drawing()))
        chunks = (body[start : start + 1000] for start in range(0, len(body), 1000))

        response = sqlite_api.session.post(
            f"{sqlite_api.url}/detect", data=chunks, headers={"Content-Type": content_type}, timeout=30
        )

        assert (response.status_code, response.json()) == (411, NO_LENGTH)
        assert sqlite_api.get("/health").status == 200

    def test_an_empty_body(self, sqlite_api: HttpApi) -> None:
        for content_type in ("multipart/form-data; boundary=b", None):
            assert_refused(sqlite_api.send("POST", "/detect", content_type=content_type, body=b""), 400, UNKNOWN_TYPE)

    @pytest.mark.parametrize("sent", [0, 1, 1000])
    def test_a_body_that_is_cut_off(self, sqlite_stack: LocalStack, sent: int) -> None:
        content_type, body = form(("image_file", pictures.drawing()))
        with Connection(sqlite_stack.port) as connection:
            headers = (f"Content-Type: {content_type}", f"Content-Length: {len(body)}")
            connection.send(head("POST", "/detect", *headers) + body[:sent])
            connection.finish_sending()

            assert connection.status() == 400
            assert connection.body() == upload_error("the body is cut off")
            assert connection.is_closed()

    def test_a_client_that_hangs_up_affects_no_other_client(
        self, sqlite_stack: LocalStack, sqlite_api: HttpApi
    ) -> None:
        content_type, body = form(("image_file", pictures.drawing()))
        headers = (f"Content-Type: {content_type}", f"Content-Length: {len(body)}")
        logged = len(sqlite_stack.log)

        for sent in (0, len(body) // 2, len(body)):
            with Connection(sqlite_stack.port) as connection:
                connection.send(head("POST", "/detect", *headers) + body[:sent])

        assert len(sqlite_api.detect(pictures.drawing())) == 1
        assert "Traceback" not in sqlite_stack.log[logged:]

    def test_expect_100_continue(self, sqlite_stack: LocalStack) -> None:
        content_type, body = form(("image_file", pictures.drawing()))
        with Connection(sqlite_stack.port) as connection:
            headers = (f"Content-Type: {content_type}", f"Content-Length: {len(body)}", "Expect: 100-continue")
            connection.send(head("POST", "/detect", *headers))
            assert connection.status() == 100

            connection.send(body)
            assert connection.status() == 200
            assert connection.body()["face_num"] == 1

    def test_expect_100_continue_with_a_refused_body(self, sqlite_stack: LocalStack) -> None:
        with Connection(sqlite_stack.port) as connection:
            connection.send(head("POST", "/detect", FORM, "Content-Length: 99000000", "Expect: 100-continue"))

            assert connection.status() == 413
            assert connection.body() == TOO_MANY_BYTES


class TestConnections:
    def test_many_requests_go_through_one_connection_without_delays(self, sqlite_stack: LocalStack) -> None:
        count = 300
        client = http.client.HTTPConnection("127.0.0.1", sqlite_stack.port, timeout=30)
        client.connect()
        connected = client.sock

        seconds = []
        for number in range(count):
            began = time.monotonic()
            client.request("GET", "/health" if number % 2 else f"/search?face_token={TOKEN}")
            response = client.getresponse()
            assert (response.status, response.read() != b"") == (200 if number % 2 else 400, True)
            seconds.append(time.monotonic() - began)

        assert client.sock is connected
        # A delay would affect most answers after the first ones. On a busy machine, some answers are late anyway.
        assert sorted(seconds[count // 2 :])[count // 20] < DELAYED_ACKNOWLEDGEMENT_SECONDS
        client.close()

    def test_a_connection_stays_open_after_a_refusal(self, sqlite_stack: LocalStack) -> None:
        client = http.client.HTTPConnection("127.0.0.1", sqlite_stack.port, timeout=30)
        content_type, body = form(("image_file", pictures.cat()), ("threshold", "0.65"))
        client.connect()
        connected = client.sock

        for _ in range(3):
            client.request("POST", "/search", body, {"Content-Type": content_type})
            response = client.getresponse()
            assert (response.status, response.read() != b"") == (422, True)

        assert client.sock is connected
        client.close()

    @pytest.mark.parametrize("database", ["sqlite", "mysql"])
    def test_64_clients_at_once(self, request: pytest.FixtureRequest, database: str) -> None:
        stack: LocalStack = request.getfixturevalue(f"{database}_stack")
        together = threading.Barrier(CLIENTS)
        target = HttpApi(stack.port).token(pictures.drawing())

        def walk(number: int) -> str:
            client = HttpApi(stack.port)
            together.wait()
            token = client.token(pictures.drawing())
            client.add(token, face_name=f"client {number}")
            client.add(token, face_name=f"renamed {number}")
            found = client.search(target, "0")
            client.remove(token)
            client.session.close()
            assert (token, f"renamed {number}") in zip(tokens(found), names(found), strict=True)
            return token

        with ThreadPoolExecutor(CLIENTS) as executor:
            given = list(executor.map(walk, range(CLIENTS)))

        assert len(set(given)) == CLIENTS
        assert HttpApi(stack.port).get("/info").body["faces"] == 0
