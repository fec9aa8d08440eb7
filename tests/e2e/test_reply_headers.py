"""The headers of every reply, and the CORS headers for the origin in CORS_ORIGIN."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chalicelib import wiring
from chalicelib.api.response_headers import ALWAYS, HTTPS_ONLY
from tests.e2e.api import Api, Reply
from tests.e2e.http_api import HttpApi
from tests.e2e.lambda_api import LambdaApi
from tests.e2e.observed_lambda import FUNCTION
from tests.e2e.refusals import assert_refused, bad_argument

ELSEWHERE = "https://example.com"
# Addresses of routes and an unknown address; none of these requests uses a store.
ADDRESSES = [
    ("HEAD", "/health"),
    *(("GET", path) for path in ("/health", "/openapi.json", "/", "/search", "/faces/no")),
    *(("POST", "/detect"), ("DELETE", "/detect"), ("OPTIONS", "/detect")),
]


def cors_headers(reply: Reply) -> dict[str, str]:
    return {name: value for name, value in reply.headers.items() if name.startswith("access-control")}


def assert_secured(reply: Reply) -> None:
    assert {name: reply.headers[name.lower()] for name in ALWAYS if name != "Cache-Control"} == {
        name: value for name, value in ALWAYS.items() if name != "Cache-Control"
    }
    assert cors_headers(reply) == {}


@pytest.mark.parametrize(
    ("method", "path"), [*ADDRESSES, ("GET", "/nothing"), ("BREW", "/health"), ("OPTIONS", "/nothing")]
)
def test_every_reply_of_the_local_server(sqlite_api: HttpApi, method: str, path: str) -> None:
    reply = sqlite_api.send(method, path)

    assert_secured(reply)
    # The page is revalidated at each load, which its ETag makes cheap; no other reply may be cached.
    assert reply.headers["cache-control"] == ("no-cache" if path == "/" else "no-store")
    assert not HTTPS_ONLY.keys() & {name.title() for name in reply.headers}


@pytest.mark.parametrize(("method", "path"), ADDRESSES)
def test_every_reply_of_the_function(monkeypatch: pytest.MonkeyPatch, method: str, path: str) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", FUNCTION)

    reply = LambdaApi().send(method, path)

    assert_secured(reply)
    assert reply.headers["strict-transport-security"] == HTTPS_ONLY["Strict-Transport-Security"]


class TestCors:
    @pytest.fixture
    def api(self, origin: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
        monkeypatch.setenv("CORS_ORIGIN", origin)
        wiring.reset()
        yield LambdaApi()
        monkeypatch.undo()
        wiring.reset()

    @pytest.fixture
    def origin(self) -> str:
        return ELSEWHERE

    @pytest.mark.parametrize(
        ("path", "methods"),
        [
            ("/detect", "POST, OPTIONS"),
            ("/search", "GET, HEAD, POST, OPTIONS"),
            ("/faces/AAAA", "DELETE, GET, HEAD, PUT, OPTIONS"),
            ("/health", "GET, HEAD, OPTIONS"),
        ],
    )
    def test_a_preflight(self, api: Api, path: str, methods: str) -> None:
        reply = api.carry("OPTIONS", path, [], None, None)

        assert (reply.status, reply.text) == (200, "")
        assert cors_headers(reply) == {
            "access-control-allow-origin": ELSEWHERE,
            "access-control-expose-headers": "Retry-After",
            "access-control-allow-methods": methods,
            "access-control-allow-headers": "Authorization, Content-Type, X-Api-Key",
            "access-control-max-age": "7200",
        }

    @pytest.mark.parametrize("path", ["/health", "/search", "/faces/no", "/openapi.json"])
    def test_replies_and_errors_may_be_read(self, api: Api, path: str) -> None:
        reply = api.get(path)

        assert reply.headers["access-control-allow-origin"] == ELSEWHERE

    def test_a_wrong_method_lists_the_allowed_methods(self, api: Api) -> None:
        assert api.send("PUT", "/search").headers["allow"] == "GET, HEAD, POST, OPTIONS"

    @pytest.mark.usefixtures("origin")
    @pytest.mark.parametrize(
        "origin", ["https://a.example, https://b.example", "https://a.example/", "null", "a.example", "*\nX: y"]
    )
    def test_an_invalid_origin_appears_in_no_header(self, api: Api) -> None:
        for method, path in ADDRESSES:
            assert cors_headers(api.send(method, path)) == {}

    @pytest.mark.parametrize("path", ["/detect", "/faces/AAAA"])
    def test_without_cors_origin_options_is_refused(self, path: str) -> None:
        reply = LambdaApi().send("OPTIONS", path)

        assert_refused(reply, 405, bad_argument("this address does not accept that method"))
        assert "OPTIONS" not in reply.headers["allow"]
