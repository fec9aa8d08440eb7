"""Simulates IAM authentication of RDS's MySQL in front of a real server on this machine.

Requires TLS, requests the password by mysql_clear_password, and checks that it is a signed token that is not older than
15 minutes. Then forwards everything to the server.
"""

from __future__ import annotations

import hashlib
import hmac
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pymysql
from pymysql.constants import CLIENT

TOKEN_AGE = timedelta(seconds=900)
_CAPABILITIES = (
    CLIENT.LONG_PASSWORD
    | CLIENT.FOUND_ROWS
    | CLIENT.LONG_FLAG
    | CLIENT.CONNECT_WITH_DB
    | CLIENT.PROTOCOL_41
    | CLIENT.TRANSACTIONS
    | CLIENT.SECURE_CONNECTION
    | CLIENT.MULTI_STATEMENTS
    | CLIENT.MULTI_RESULTS
    | CLIENT.PLUGIN_AUTH
)


class IamFront:
    """A listening port. `tokens` holds everything received as a password, or as a reply without TLS.

    Parameters
    ----------
    target
        The port of a server whose root has no password.
    certificate, key
        The front's own, for `localhost`. If None, the front has no TLS.
    secrets
        The secret access keys, by access key id.
    """

    def __init__(
        self,
        target: int,
        certificate: tuple[Path, Path] | None,
        secrets: dict[str, str],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._target = target
        self._secrets = secrets
        self._clock = clock
        self._tls = None
        if certificate is not None:
            self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._tls.load_cert_chain(*certificate)
        self.tokens: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError, ConnectionError, struct.error), connection:
            _send(connection, 0, _greeting(with_tls=self._tls is not None))
            if self._tls is None:
                client = connection
                response, number = _receive(client)
            else:
                _receive(connection)
                client = self._tls.wrap_socket(connection, server_side=True)
                response, number = _receive(client)
            user, database = _user_and_database(response)
            _send(client, number + 1, b"\xfemysql_clear_password\0" + b"\0")
            answer, number = _receive(client)
            self.tokens.append(answer)
            if not self._accepts(answer.removesuffix(b"\0").decode(), user):
                _send(client, number + 1, b"\xff" + struct.pack("<H", 1045) + b"#28000Access denied")
                return
            with pymysql.connect(
                host="127.0.0.1",
                port=self._target,
                user="root",
                database=database,
                client_flag=CLIENT.FOUND_ROWS,
                ssl_disabled=True,
            ) as server:
                _send(client, number + 1, b"\x00\x00\x00\x02\x00\x00\x00")
                _forward(client, server._sock)  # type: ignore[attr-defined]

    def _accepts(self, token: str, user: str) -> bool:
        parts = urlsplit(f"https://{token}")
        given = {name: values[0] for name, values in parse_qs(parts.query).items()}
        key_id, *scope = given.get("X-Amz-Credential", "").split("/")
        if key_id not in self._secrets or (given["Action"], given["DBUser"]) != ("connect", user):
            return False
        signed_at = datetime.strptime(given["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if not -TOKEN_AGE < self._clock() - signed_at < TOKEN_AGE or parts.netloc != f"localhost:{self.port}":
            return False
        return hmac.compare_digest(
            given["X-Amz-Signature"], _signature(parts.netloc, given, scope, self._secrets[key_id])
        )


def _signature(host: str, given: dict[str, str], scope: list[str], secret: str) -> str:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html"""
    query = "&".join(f"{quote(k, '')}={quote(v, '')}" for k, v in sorted(given.items()) if k != "X-Amz-Signature")
    request = f"GET\n/\n{query}\nhost:{host}\n\nhost\n{hashlib.sha256(b'').hexdigest()}"
    to_sign = "\n".join(
        ["AWS4-HMAC-SHA256", given["X-Amz-Date"], "/".join(scope), hashlib.sha256(request.encode()).hexdigest()]
    )
    key = reduce(_hmac, scope, f"AWS4{secret}".encode())
    return _hmac(key, to_sign).hex()


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _greeting(*, with_tls: bool) -> bytes:
    """https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_v10.html"""
    capabilities = _CAPABILITIES | (CLIENT.SSL if with_tls else 0)
    return (
        b"\x0a8.4.0\0"
        + struct.pack("<I", 1)
        + b"saltsalt\0"
        + struct.pack("<HBHHB", capabilities & 0xFFFF, 45, 2, capabilities >> 16, 21)
        + bytes(10)
        + b"saltsaltsalt\0mysql_native_password\0"
    )


def _user_and_database(response: bytes) -> tuple[str, str | None]:
    user, rest = response[32:].split(b"\0", 1)
    database = rest[1 + rest[0] :].split(b"\0", 1)[0]
    return user.decode(), database.decode() or None


def _send(client: socket.socket, number: int, payload: bytes) -> None:
    client.sendall(struct.pack("<I", len(payload))[:3] + bytes([number]) + payload)


def _receive(client: socket.socket) -> tuple[bytes, int]:
    header = _exactly(client, 4)
    return _exactly(client, int.from_bytes(header[:3], "little")), header[3]


def _exactly(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = client.recv(size - len(data))
        if not more:
            raise ConnectionError
        data += more
    return data


def _forward(client: socket.socket, server: socket.socket) -> None:
    """Forward data in one thread, because MySQL's client and server take turns."""
    server.settimeout(None)
    while True:
        waiting = isinstance(client, ssl.SSLSocket) and client.pending()
        ready = [client] if waiting else select.select([client, server], [], [])[0]
        for source in ready:
            data = source.recv(65536)
            if not data:
                return
            (server if source is client else client).sendall(data)
