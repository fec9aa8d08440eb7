"""Published files: what goes wrong on the way is told apart, and nothing of it is kept."""

from __future__ import annotations

import hashlib
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from models import sources


@contextmanager
def _publisher(answer: bytes, *, then_silent: bool = False) -> Iterator[str]:
    """The address of a server that sends these bytes to whoever connects, and hangs up, or says nothing more."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        done = threading.Event()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)
                if then_silent:
                    done.wait(10)

        pool.submit(serve)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/network.onnx"
        finally:
            done.set()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5000\r\n\r\n" + bytes(1234), "ended after 1234 of 5000 bytes"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\nabc", "IncompleteRead"),
        (b"SSH-2.0\r\n", "SSH-2.0"),
        (b"", "closed connection"),
    ],
)
def test_a_publisher_that_hangs_up_is_named_with_the_reason(tmp_path: Path, answer: bytes, reason: str) -> None:
    with _publisher(answer) as url, pytest.raises(sources.SourceError) as raised:
        sources.fetch({"url": url, "sha256": "0" * 64}, tmp_path)

    assert re.match(f"{url} cannot be fetched: .*{reason}", str(raised.value))
    assert list(tmp_path.iterdir()) == []


def test_a_publisher_that_falls_silent_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "SILENCE_SECONDS", 0.2)
    answer = b"HTTP/1.0 200 OK\r\n\r\nhalf"

    with _publisher(answer, then_silent=True) as url, pytest.raises(sources.SourceError) as raised:
        sources.fetch({"url": url, "sha256": "0" * 64}, tmp_path)

    assert str(raised.value) == f"{url} cannot be fetched: no answer for 0.2 seconds"


def test_a_long_one_tells_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sources, "PROGRESS_SECONDS", 0.0)
    data = bytes(3 << 20)
    with _publisher(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data) as url:
        sources.fetch({"url": url, "sha256": hashlib.sha256(data).hexdigest()}, tmp_path)

    assert capsys.readouterr().err.splitlines()[-1] == "network.onnx: 3 of 3 MB"


def test_a_package_that_is_not_the_pinned_one_is_refused(tmp_path: Path) -> None:
    source = {"package": "mtcnn==1.0.0", "sha256": "0" * 64}

    with pytest.raises(sources.SourceError, match=r"mtcnn==1.0.0 cannot be fetched"):
        sources.fetch(source, tmp_path)
