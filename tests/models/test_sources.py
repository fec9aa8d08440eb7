"""Published files: download errors are distinguished and leave no files."""

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
    """Yield the address of a server that sends these bytes to one client, and then hangs up or stays silent."""
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
def test_a_server_that_hangs_up_is_named_with_the_reason(tmp_path: Path, answer: bytes, reason: str) -> None:
    with _publisher(answer) as url, pytest.raises(sources.SourceError) as raised:
        sources.fetch(sources.PublishedFile("0" * 64, {}, urls=(url,)), tmp_path)

    assert re.match(f"{url} cannot be fetched: .*{reason}", str(raised.value))
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_falls_silent_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "SILENCE_SECONDS", 0.2)
    answer = b"HTTP/1.0 200 OK\r\n\r\nhalf"

    with _publisher(answer, then_silent=True) as url, pytest.raises(sources.SourceError) as raised:
        sources.fetch(sources.PublishedFile("0" * 64, {}, urls=(url,)), tmp_path)

    assert str(raised.value) == f"{url} cannot be fetched: no answer for 0.2 seconds"


def test_a_long_download_shows_its_progress(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sources, "PROGRESS_SECONDS", 0.0)
    data = bytes(3 << 20)
    with _publisher(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data) as url:
        sources.fetch(sources.PublishedFile(hashlib.sha256(data).hexdigest(), {}, urls=(url,)), tmp_path)

    assert capsys.readouterr().err.splitlines()[-1] == "network.onnx: 3 of 3 MB"


def test_a_package_that_differs_from_the_pinned_one_is_refused(tmp_path: Path) -> None:
    source = sources.PublishedFile("0" * 64, {}, package="mtcnn==1.0.0")

    with pytest.raises(sources.SourceError, match=r"mtcnn==1.0.0 cannot be fetched"):
        sources.fetch(source, tmp_path)


class TestSeveralAddresses:
    """Addresses are tried in turn, and the sha256 decides."""

    DATA = b"network"
    ANSWER = b"HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\n" + DATA
    DIGEST = hashlib.sha256(DATA).hexdigest()

    def test_the_second_address_is_used_if_the_first_is_unreachable(self, tmp_path: Path) -> None:
        with _publisher(self.ANSWER) as url:
            published = sources.PublishedFile(self.DIGEST, {}, urls=("http://127.0.0.1:9/network.onnx", url))

            assert sources.fetch(published, tmp_path).read_bytes() == self.DATA

    def test_the_second_address_is_used_if_the_first_has_another_file(self, tmp_path: Path) -> None:
        with _publisher(b"HTTP/1.0 200 OK\r\n\r\nanother") as first, _publisher(self.ANSWER) as second:
            published = sources.PublishedFile(self.DIGEST, {}, urls=(first, second))

            assert sources.fetch(published, tmp_path).read_bytes() == self.DATA

    def test_each_address_is_named_if_none_has_the_file(self, tmp_path: Path) -> None:
        first = "http://127.0.0.1:9/network.onnx"
        with _publisher(b"HTTP/1.0 200 OK\r\n\r\nanother") as second, pytest.raises(sources.SourceError) as raised:
            sources.fetch(sources.PublishedFile(self.DIGEST, {}, urls=(first, second)), tmp_path)

        assert f"{first} cannot be fetched" in str(raised.value)
        assert f"{second} has sha256 " in str(raised.value)
        assert list(tmp_path.iterdir()) == []


class TestACardsTable:
    def test_an_address_may_be_one_or_a_list(self, tmp_path: Path) -> None:
        one, several = (sources.read({"url": url, "sha256": "0"}, ["embedder"], tmp_path) for url in ("a", ["a", "b"]))

        assert one == [sources.PublishedFile("0", {"embedder": ""}, urls=("a",))]
        assert several == [sources.PublishedFile("0", {"embedder": ""}, urls=("a", "b"))]

    def test_each_role_may_have_its_own_file(self, tmp_path: Path) -> None:
        table = {"files": {"xml": {"url": "a", "sha256": "0"}, "bin": {"file": "b"}}}

        assert sources.read(table, ["embedder"], tmp_path) == [
            sources.PublishedFile("0", {"xml": ""}, urls=("a",)),
            sources.PublishedFile("", {"bin": ""}, file=tmp_path / "b"),
        ]

    @pytest.mark.parametrize("table", [{"url": "a"}, {"package": "a==1", "sha256": "0", "members": {}}])
    def test_a_missing_key_is_named(self, tmp_path: Path, table: dict[str, object]) -> None:
        with pytest.raises(KeyError, match=r"sha256|members\.embedder"):
            sources.read(table, ["embedder"], tmp_path)
