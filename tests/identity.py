"""A token issuer with real keys, and the tokens that it signs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

AUDIENCE = "face-search"
ISSUER = "https://issuer.example"
SigningKey = RSAKey | ECKey


def rsa_key(key_id: str = "rsa", bits: int = 2048) -> RSAKey:
    return RSAKey.generate_key(bits, {"kid": key_id, "use": "sig"}, private=True)


def ec_key(key_id: str = "ec", curve: str = "P-256") -> ECKey:
    return ECKey.generate_key(curve, {"kid": key_id}, private=True)


def claims(**other: Any) -> dict[str, Any]:
    """Return the claims of a valid token, with others in addition; None leaves a claim out."""
    now = int(time.time())
    whole = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "iat": now, "nbf": now, "exp": now + 600, **other}
    return {name: value for name, value in whole.items() if value is not None}


def signed(key: SigningKey, algorithm: str = "RS256", *, key_id: str | None = None, **other: Any) -> str:
    header = {"alg": algorithm, "kid": key.kid if key_id is None else key_id}
    return jwt.encode(header, claims(**other), key, algorithms=[algorithm])


class Issuer:
    """Publishes keys in memory, and counts the readings."""

    def __init__(self, *keys: SigningKey, address: str = ISSUER) -> None:
        self.keys: list[Any] = [key.as_dict(private=False) for key in keys]
        self.address = address
        self.readings = 0
        self.failure: Exception | None = None

    def read(self, url: str) -> dict[str, Any]:
        if self.failure:
            raise self.failure
        if url == f"{self.address}/.well-known/openid-configuration":
            self.readings += 1
            return {"issuer": self.address, "jwks_uri": f"{self.address}/keys"}
        assert url == f"{self.address}/keys"
        return {"keys": self.keys}


@contextmanager
def https_server(answer: Callable[[str], tuple[int, dict[str, str], bytes]], certificate: str) -> Iterator[int]:
    """Serve GET over TLS on this machine; yield the port."""
    import ssl

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = answer(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
