"""Takes in the pictures of a folder beside the local server, as the function behind the queue does for a bucket.

The folder has the bucket's layout: pictures in `incoming/`, results in `results/`. A result file has its picture's time
of last change. A picture with another time than its result is new.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from chalicelib.errors import ServiceError, StoreUnavailableError
from chalicelib.incoming import messages, paths
from chalicelib.incoming.inbox import TooLargeError
from chalicelib.incoming.intake import Intake
from chalicelib.incoming.messages import Arrival
from chalicelib.wiring import Wiring

POLL_SECONDS = 1.0
# After a store failed.
WAIT_SECONDS = 10.0
MAX_STOP_SECONDS = 5.0

log = logging.getLogger(__name__)


class Version(NamedTuple):
    """The state of a file: its time of last change in nanoseconds since 1970, and its bytes."""

    changed_ns: int
    size: int


class WatchedFolder:
    """The inbox in a folder. It must be used by one thread."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._seen: dict[str, Version] = {}
        self._ready: dict[str, Version] = {}
        self._done: dict[str, Version] = {}

    def new(self) -> list[str]:
        """Return the paths of pictures without a result that have not changed since the last call, sorted.

        A file that is still being copied changes between two calls.
        """
        versions = dict(self._versions())
        self._ready = {path: version for path, version in versions.items() if self._seen.get(path) == version}
        self._seen = {path: version for path, version in versions.items() if path not in self._ready}
        return sorted(self._ready)

    def finish(self, path: str) -> None:
        """Leave a picture of `new` alone until it changes."""
        self._done[path] = self._ready[path]

    def read(self, path: str, most_bytes: int) -> bytes | None:
        try:
            with (self._root / path).open("rb") as file:
                if os.fstat(file.fileno()).st_size > most_bytes:
                    raise TooLargeError
                return file.read(most_bytes)
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("a picture in the watched folder cannot be read: %s", error.strerror)
            raise StoreUnavailableError() from None

    def answered(self, path: str, fingerprint: str) -> bool:
        """Return False: `new` returns no picture that has a result."""
        del path, fingerprint
        return False

    def write(self, path: str, fingerprint: str, body: bytes) -> None:
        """Write a result whole or not at all, with the time of last change that its picture had in `new`."""
        del fingerprint
        result = self._root / paths.result_of(path)
        changed_ns = self._ready[path].changed_ns
        unfinished = result.with_name(f".{os.getpid()}.unfinished")
        try:
            result.parent.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(body)
            os.utime(unfinished, ns=(changed_ns, changed_ns))
            unfinished.replace(result)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise
            log.warning("a result cannot be written to the watched folder: %s", error.strerror)
            raise StoreUnavailableError() from None

    def _versions(self) -> Iterator[tuple[str, Version]]:
        """Yield the pictures that are not done. Hidden files, links and what is no file are left out."""
        for folder, folders, files in os.walk(self._root / paths.PICTURES):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in files:
                path = (Path(folder) / name).relative_to(self._root).as_posix()
                version = None if name.startswith(".") else _version(self._root / path)
                if version is None or self._done.get(path) == version:
                    continue
                result = _version(self._root / paths.result_of(path))
                if result is not None and result.changed_ns == version.changed_ns:
                    self._done[path] = version
                else:
                    yield path, version


def create(root: Path) -> None:
    """Create the folders of pictures and results if they are missing.

    Raises
    ------
    OSError
        When they cannot be created.
    """
    for name in (paths.PICTURES, paths.RESULTS):
        (root / name).mkdir(mode=0o700, parents=True, exist_ok=True)


@contextmanager
def taken_in(parts: Wiring, root: Path) -> Iterator[None]:
    """Take in the folder's pictures in another thread until the block ends."""
    folder, stopping = WatchedFolder(root), threading.Event()
    use_case = messages.intake(parts, folder)

    def run() -> None:
        wait = POLL_SECONDS
        while not stopping.wait(wait):
            wait = POLL_SECONDS if _take_all(folder, use_case, parts, stopping) else WAIT_SECONDS

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(MAX_STOP_SECONDS)


def _take_all(folder: WatchedFolder, use_case: Intake, parts: Wiring, stopping: threading.Event) -> bool:
    """Take in the new pictures; return False if a store failed, which may succeed later."""
    for path in folder.new():
        if stopping.is_set():
            break
        try:
            messages.take(parts, use_case, Arrival(path, None))
        except ServiceError:
            log.warning("a picture in the watched folder was not taken in; the next attempt follows")
            return False
        except Exception:  # one picture must not stop the thread that takes in the others
            log.exception("a picture in the watched folder was not taken in; it is left alone until it changes")
        folder.finish(path)
    return True


def _version(path: Path) -> Version | None:
    """Return a regular file's version; None for anything else."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return Version(found.st_mtime_ns, found.st_size) if stat.S_ISREG(found.st_mode) else None
