"""Clients that send slowly or nothing do not block other clients of the local server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from infra.local.arriving_bytes import ArrivingBytes
from infra.local.connections import MAX_CONNECTIONS
from tests.e2e.http_api import HttpApi
from tests.e2e.local_stack import LocalStack
from tests.e2e.raw_http import Connection, head

BEGINNINGS = (
    b"",
    b"GET /hea",
    head("GET", "/health")[:-2],
    head("POST", "/detect", "Content-Type: multipart/form-data; boundary=b", "Content-Length: 1000") + b"--b",
)


def test_too_many_connections_close_the_longest_waiting(sqlite_stack: LocalStack) -> None:
    with ExitStack() as opened:
        slow = []
        for number in range(2 * MAX_CONNECTIONS):
            slow.append(opened.enter_context(Connection(sqlite_stack.port)))
            slow[-1].send(BEGINNINGS[number % len(BEGINNINGS)])
            if number % 64 == 0:
                assert HttpApi(sqlite_stack.port).get("/health").status == 200

        assert HttpApi(sqlite_stack.port).get("/health").status == 200
        assert slow[0].is_closed()  # this client has sent nothing, so it gets no answer
        assert slow[1].status() == 408
        # The latest clients may still send the rest of their requests.
        slow[-2].send(b"\r\n")
        assert slow[-2].status() == 200


@pytest.fixture
def connected() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


class TestArrivingBytes:
    def test_single_bytes_do_not_extend_the_time_limit(self, connected: tuple[socket.socket, socket.socket]) -> None:
        client, server = connected
        arriving = ArrivingBytes(server)
        arriving.allow(0.2)
        stop = threading.Event()

        def trickle() -> None:
            for _ in range(500):
                if stop.wait(0.01):
                    return
                client.send(b"x")
            client.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=trickle)
        thread.start()
        with pytest.raises(TimeoutError):
            arriving.readall()
        stop.set()
        thread.join()

        assert not arriving.ended

    def test_a_closed_connection_ends_reading(self, connected: tuple[socket.socket, socket.socket]) -> None:
        client, server = connected
        server.settimeout(7)
        arriving = ArrivingBytes(server)
        arriving.allow(60)
        client.send(b"all")
        client.close()

        assert arriving.readall() == b"all"
        assert arriving.ended
        assert server.gettimeout() == 7
