"""Many readers or one writer hold a shared lock, and a waiting writer goes before new readers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager

import pytest

from chalicelib.gallery.shared_lock import SharedLock

# Long enough for a thread that does not wait to finish.
MOMENT_SECONDS = 0.2


def hold(entered: Callable[[], AbstractContextManager[None]]) -> None:
    with entered():
        pass


def waits(held: Future[None]) -> bool:
    with pytest.raises(TimeoutError):
        held.result(MOMENT_SECONDS)
    return True


def test_readers_hold_it_together_and_a_writer_alone() -> None:
    lock = SharedLock()
    with ThreadPoolExecutor(2) as pool:
        with lock.shared():
            pool.submit(hold, lock.shared).result(10)
            writer = pool.submit(hold, lock.exclusive)
            assert waits(writer)
        writer.result(10)
        with lock.exclusive():
            reader = pool.submit(hold, lock.shared)
            assert waits(reader)
        reader.result(10)


def test_a_new_reader_waits_behind_a_waiting_writer() -> None:
    lock = SharedLock()
    finish, written = threading.Event(), threading.Event()

    def write() -> None:
        with lock.exclusive():
            written.set()
            finish.wait(10)

    with ThreadPoolExecutor(2) as pool:
        with lock.shared():
            writer = pool.submit(write)
            assert waits(writer)
            reader = pool.submit(hold, lock.shared)
            assert waits(reader)
        assert written.wait(10)
        assert waits(reader)
        finish.set()
        reader.result(10)
