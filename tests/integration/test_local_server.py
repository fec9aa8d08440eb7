"""The local server's own rules, over HTTP, with an app that finishes requests when the test allows it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from chalice.app import Chalice

from chalicelib.api.routing import complete_headers
from chalicelib.settings import current_settings
from infra.local import connections, server
from infra.local.connections import MAX_WITH_BODY, MAX_WITHOUT_BODY
from tests.e2e.raw_http import Connection, head
from tests.e2e.refusals import bad_argument

MAX_WAIT_SECONDS = 60
LATE_UPLOAD = {
    "sucess": False,
    "success": False,
    "error_code": "1005",
    "error_msg": "UPLOAD_ERROR",
    "detail": "the body did not arrive in time",
}


class Work:
    """Counts the requests that the app has started, and holds them until `may_end` is set."""

    def __init__(self) -> None:
        self.may_end = threading.Event()
        self.begun = threading.Semaphore(0)
        self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()

    def do(self) -> dict[str, str]:
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        self.begun.release()
        assert self.may_end.wait(MAX_WAIT_SECONDS)
        with self._lock:
            self.at_once -= 1
        return {}


class Served:
    """A running server, its app's work, and clients of the server."""

    def __init__(self) -> None:
        self.work = Work()
        app = Chalice(app_name="local", configure_logs=False)
        app.register_middleware(complete_headers, "http")
        app.route("/work", methods=["GET", "POST"], content_types=["*/*"], api_key_required=True)(self.work.do)
        app.route("/health", methods=["GET"], content_types=["*/*"])(dict)
        self.server: connections.Server = server.make_server(app, "127.0.0.1", 0).server
        self.port = self.server.server_address[1]

    def get(self, path: str, *headers: str) -> int:
        return self.answer(head("GET", path, *headers, "Connection: close"))

    def post(self, body: bytes) -> int:
        length = f"Content-Length: {len(body)}"
        return self.answer(head("POST", "/work", length, "Content-Type: text/plain", "Connection: close") + body)

    def answer(self, sent: bytes) -> int:
        with Connection(self.port) as connection:
            connection.send(sent)
            return connection.status()

    def has_received(self, count: int) -> None:
        """Wait until `count` requests have been received completely."""
        end = time.monotonic() + MAX_WAIT_SECONDS
        while len(self.server._working) < count:
            assert time.monotonic() < end
            time.sleep(0.005)


@pytest.fixture
def served() -> Iterator[Served]:
    made = Served()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.work.may_end.set()
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def clients() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(64) as executor:
        yield executor


class TestTurns:
    def test_other_requests_are_answered_while_pictures_take_turns(
        self, served: Served, clients: ThreadPoolExecutor
    ) -> None:
        count = 4 * MAX_WITH_BODY
        answers = [clients.submit(served.post, b"picture") for _ in range(count)]
        served.has_received(count)
        for _ in range(MAX_WITH_BODY):
            assert served.work.begun.acquire(timeout=MAX_WAIT_SECONDS)

        assert served.get("/health") == 200
        served.work.may_end.set()

        assert [answer.result() for answer in answers] == [200] * count
        assert served.work.most_at_once == MAX_WITH_BODY

    def test_requests_without_a_body_take_turns_too(self, served: Served, clients: ThreadPoolExecutor) -> None:
        count = 2 * MAX_WITHOUT_BODY
        answers = [clients.submit(served.get, "/work") for _ in range(count)]
        served.has_received(count)
        served.work.may_end.set()

        assert [answer.result() for answer in answers] == [200] * count
        assert served.work.most_at_once <= MAX_WITHOUT_BODY


class TestBodiesInAll:
    @pytest.fixture(autouse=True)
    def _little_room(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connections, "MAX_BODY_BYTES", 100)

    def test_a_body_that_arrives_slowly_makes_room(self, served: Served) -> None:
        served.work.may_end.set()
        with Connection(served.port) as slow:
            slow.send(head("POST", "/work", "Content-Length: 80", "Content-Type: text/plain") + b"begin")
            while not served.server._bodies:
                time.sleep(0.005)

            assert served.post(b"x" * 80) == 200

            assert (slow.status(), slow.body()) == (408, LATE_UPLOAD)
            assert slow.is_closed()

    def test_a_body_in_use_is_waited_for(self, served: Served, clients: ThreadPoolExecutor) -> None:
        first = clients.submit(served.post, b"x" * 80)
        assert served.work.begun.acquire(timeout=MAX_WAIT_SECONDS)
        second = clients.submit(served.post, b"y" * 80)
        assert served.get("/health") == 200
        assert sum(served.server._bodies.values()) == 80
        served.work.may_end.set()

        assert (first.result(), second.result()) == (200, 200)
        assert served.work.most_at_once == 1


def test_a_body_beyond_api_gateways_limit_is_refused_before_it_is_sent(served: Served) -> None:
    for length, status in ((server.MAX_REQUEST_BYTES + 1, 413), (10 ** (server.MAX_LENGTH_DIGITS + 1), 413)):
        sent = head("POST", "/work", f"Content-Length: {length}", "Content-Type: text/plain", "Connection: close")
        assert served.answer(sent) == status


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (f"/faces/{'A' * 24}/crop?name=Ada", "/faces/{face_token}/crop"),
        ("/people/AC%2FDC%41/faces?limit=1", "/people/{person}/faces"),
    ],
)
def test_the_log_shows_no_token_and_no_query(
    served: Served, capsys: pytest.CaptureFixture[str], path: str, shown: str
) -> None:
    assert served.get(path) == 404
    logged, end = "", time.monotonic() + MAX_WAIT_SECONDS
    while "\n" not in logged:
        assert time.monotonic() < end
        time.sleep(0.005)
        logged += capsys.readouterr().err

    assert logged.startswith(f"GET {shown} 404 ")


class TestLate:
    @pytest.fixture(autouse=True)
    def _little_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(server, "HEAD_TIMEOUT_SECONDS", 0.3)
        monkeypatch.setattr(server, "BODY_TIMEOUT_SECONDS", 0.3)

    @pytest.mark.parametrize(
        ("sent", "body"),
        [
            (head("POST", "/work", "Content-Length: 80", "Content-Type: text/plain") + b"begin", LATE_UPLOAD),
            (head("POST", "/work", "Content-Length: 80", "Content-Type: text/plain"), LATE_UPLOAD),
            (b"POST /wo", bad_argument("the request did not arrive in time")),
            (head("POST", "/work", "Content-Length: 80")[:-2], bad_argument("the request did not arrive in time")),
        ],
    )
    def test_a_late_request_is_answered_with_408(self, served: Served, sent: bytes, body: dict[str, Any]) -> None:
        with Connection(served.port) as connection:
            connection.send(sent)

            assert (connection.status(), connection.body()) == (408, body)
            assert connection.is_closed()

    def test_a_client_that_sends_nothing_gets_no_reply(self, served: Served) -> None:
        with Connection(served.port) as connection:
            assert connection.is_closed()

    def test_an_idle_kept_connection_gets_no_further_reply(self, served: Served) -> None:
        with Connection(served.port) as connection:
            connection.send(head("GET", "/health"))
            assert (connection.status(), connection.body()) == (200, {})

            assert connection.is_closed()


FOREIGN = "Origin: http://evil.example"
ITS_OWN = "Host: localhost"


class TestOtherOrigins:
    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ((), 200),  # curl, and every other program that is not a browser
            (("Sec-Fetch-Site: none",), 200),
            (("Sec-Fetch-Site: same-origin", "Origin: http://localhost"), 200),
            (("Origin: http://localhost",), 200),  # a browser that does not send Sec-Fetch-Site
            (("Origin: HTTP://LOCALHOST",), 200),
            ((FOREIGN,), 403),
            ((FOREIGN, "Sec-Fetch-Site: cross-site"), 403),
            (("Sec-Fetch-Site: cross-site",), 403),
            (("Origin: http://localhost:3000", "Sec-Fetch-Site: same-site"), 403),  # the page of another program
            (("Origin: http://localhost:3000",), 403),
            (("Origin: null",), 403),
            (("Origin: http://localhost.evil.example",), 403),
        ],
    )
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_pages_of_other_origins_are_refused(
        self, served: Served, method: str, headers: tuple[str, ...], status: int
    ) -> None:
        served.work.may_end.set()

        assert served.answer(head(method, "/work", *headers, "Connection: close")) == status
        assert served.work.begun.acquire(blocking=False) == (status == 200)

    def test_pages_of_other_origins_may_call_routes_that_need_no_key(self, served: Served) -> None:
        assert served.get("/health", FOREIGN, "Sec-Fetch-Site: cross-site") == 200

    @pytest.mark.parametrize(
        ("allowed", "origin", "status"),
        [
            ("https://good.example", "https://good.example", 200),
            ("https://good.example", "https://evil.example", 403),
            ("https://good.example", "http://good.example", 403),
            ("*", "https://evil.example", 200),
        ],
    )
    def test_cors_origin_admits_an_origin(
        self,
        served: Served,
        monkeypatch: pytest.MonkeyPatch,
        request: pytest.FixtureRequest,
        allowed: str,
        origin: str,
        status: int,
    ) -> None:
        monkeypatch.setenv("CORS_ORIGIN", allowed)
        current_settings.cache_clear()
        request.addfinalizer(current_settings.cache_clear)
        served.work.may_end.set()

        assert served.get("/work", f"Origin: {origin}", "Sec-Fetch-Site: cross-site") == status

    def test_a_picture_is_refused_before_it_is_sent(self, served: Served) -> None:
        with Connection(served.port) as connection:
            connection.send(head("POST", "/work", FOREIGN, "Content-Length: 80", "Expect: 100-continue"))

            assert connection.status() == 403


class TestHost:
    @pytest.mark.parametrize(
        ("host", "status"),
        [
            ("localhost:8000", 200),
            ("LOCALHOST", 200),
            ("face-search.localhost:8000", 200),
            ("127.0.0.1:8001", 200),
            ("192.168.1.20:8000", 200),
            ("[::1]:8000", 200),
            ("evil.example:8000", 403),
            ("localhost.evil.example", 403),
            ("evil-localhost:8000", 403),
            ("127.0.0.1.evil.example", 403),
            ("[::1", 403),
            ("", 403),
        ],
    )
    @pytest.mark.parametrize("path", ["/work", "/health"])
    def test_host_names_that_a_foreign_page_may_have_are_refused(
        self, served: Served, path: str, host: str, status: int
    ) -> None:
        served.work.may_end.set()

        assert served.answer(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()) == status

    def test_the_operators_host_name_is_accepted(self, served: Served) -> None:
        served.server.bound = "Studio.lan"

        assert served.answer(b"GET /health HTTP/1.1\r\nHost: studio.lan:8000\r\nConnection: close\r\n\r\n") == 200
        assert served.answer(b"GET /health HTTP/1.1\r\nHost: other.lan:8000\r\nConnection: close\r\n\r\n") == 403

    def test_http_1_0_clients_may_omit_the_host(self, served: Served) -> None:
        assert served.answer(b"GET /health HTTP/1.0\r\n\r\n") == 200

    def test_two_host_headers_are_refused(self, served: Served) -> None:
        assert served.get("/health", ITS_OWN) == 400


class TestEnd:
    @pytest.mark.parametrize("hurry", [False, True])
    def test_running_requests_are_answered_unless_in_a_hurry(
        self, served: Served, clients: ThreadPoolExecutor, hurry: bool
    ) -> None:
        answer, hurried = clients.submit(served.get, "/work"), threading.Event()
        assert served.work.begun.acquire(timeout=MAX_WAIT_SECONDS)
        served.server.shutdown()
        (hurried if hurry else served.work.may_end).set()

        served.server.finish(MAX_WAIT_SECONDS, hurried)

        assert len(served.server._working) == hurry
        served.work.may_end.set()
        assert answer.result() == 200
