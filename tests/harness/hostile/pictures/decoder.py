"""Decodes pictures in a separate process with a memory limit and a time limit."""

from __future__ import annotations

import multiprocessing
import re
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from chalicelib.errors import ServiceError
from chalicelib.faces import Image
from chalicelib.images import decoding
from tests.pictures import astronaut, jpeg, png

# Far longer than any decoding on any machine. The limit only stops a decoding that would never end.
HANG_SECONDS = 120
# The memory that one decoding may allocate beyond the process's own; no normal decoding comes near.
MAX_ADDRESS_SPACE_BYTES = 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Refusal:
    """The status and detail for the client."""

    code: str
    status: int
    detail: str


class DecoderLostError(Exception):
    """The process died, did not answer in time, or raised an error other than `ServiceError`."""


class Decoder:
    """Sends pictures to the process; `decoder` starts it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def decode(self, file: bytes) -> Image | Refusal:
        """Return the picture, or the refusal for the client.

        Raises
        ------
        DecoderLostError
            When there is neither a picture nor a refusal.
        """
        answer: Image | Refusal | str = self._ask(file)
        if isinstance(answer, str):
            raise DecoderLostError(answer)
        return answer

    def growth_bytes(self) -> int:
        """Return the peak growth of the process since its first pictures, in bytes."""
        return int(self._ask(None))

    def _ask(self, question: bytes | None) -> Any:
        try:
            self._connection.send(question)
            if not self._connection.poll(HANG_SECONDS):
                raise DecoderLostError(f"no answer in {HANG_SECONDS} s")
            return self._connection.recv()
        except (EOFError, OSError) as error:
            raise DecoderLostError("the process died") from error


@contextmanager
def decoder() -> Iterator[Decoder]:
    """Start a decoding process; end it after the block."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Decoder(ours)
    finally:
        ours.close()
        process.kill()
        process.join()


def _serve(connection: Connection) -> None:
    for file in (jpeg(astronaut()), png(astronaut())):
        decoding.decode(file)
    if sys.platform == "linux":
        most = _bytes_of("VmSize") + MAX_ADDRESS_SPACE_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    before = _peak_bytes()
    while True:
        try:
            file = connection.recv()
        except EOFError:
            return
        connection.send(_peak_bytes() - before if file is None else _decoded(file))


def _decoded(file: bytes) -> Image | Refusal | str:
    try:
        return decoding.decode(file)
    except ServiceError as error:
        return Refusal(error.code, error.status, error.detail)
    except Exception as error:  # noqa: BLE001  # the caller is told, and fails
        return repr(error)


def _peak_bytes() -> int:
    if sys.platform == "linux":  # getrusage's peak would include the parent process
        return _bytes_of("VmHWM")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _bytes_of(field: str) -> int:
    found = re.search(rf"{field}:\s*(\d+) kB", Path("/proc/self/status").read_text("ascii"))
    assert found
    return int(found[1]) * 1024
