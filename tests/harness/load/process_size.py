"""Measures a process's memory, file descriptors, threads and MySQL connections. Linux only."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import NamedTuple

from tests.services import root_connection

SETTLE_SECONDS = 5.0


class Size(NamedTuple):
    """A process's resources; memory in MB, as RSS, and as PSS, which splits shared memory between its users."""

    rss: float
    pss: float
    files: int
    threads: int
    connections: int


class ProcessSize:
    """Measures a process repeatedly.

    Parameters
    ----------
    database
        The name of a database that only this process uses; `look` asks its server, as root without a password.
    """

    def __init__(self, pid: int, database: str, server_port: int) -> None:
        self._folder = Path("/proc") / str(pid)
        self._database = database
        self._server = root_connection(server_port)

    def look(self) -> Size:
        """Measure once threads and files are stable, because a connection ends shortly after its client."""
        end, last = time.monotonic() + SETTLE_SECONDS, (-1, -1)
        while time.monotonic() < end and last != (last := (self._files(), self._kb("status", "Threads"))):
            time.sleep(0.2)
        rss, pss = (self._kb("smaps_rollup", name) * 1024 / 1e6 for name in ("Rss", "Pss"))
        files, threads = last
        return Size(rss, pss, files, threads, self._connections())

    def _files(self) -> int:
        return len(list((self._folder / "fd").iterdir()))

    def _kb(self, file: str, name: str) -> int:
        found = re.search(rf"^{name}:\s+(\d+)", (self._folder / file).read_text(), re.MULTILINE)
        assert found is not None
        return int(found[1])

    def _connections(self) -> int:
        cursor = self._server.cursor()
        cursor.execute("SELECT COUNT(*) FROM information_schema.processlist WHERE db = %s", (self._database,))
        [number] = cursor.fetchone() or [0]
        return int(number)
