"""A process has one wiring, whichever threads ask for it first."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chalicelib import wiring

THREADS = 4


def test_threads_that_ask_together_get_the_same_wiring(monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(THREADS)

    class Slow:
        def __init__(self, _: Any) -> None:
            threading.Event().wait(0.1)  # other threads ask meanwhile

    def ask(_: int) -> Any:
        together.wait(10)
        return wiring.wiring()

    monkeypatch.setattr(wiring, "_wiring", None)
    monkeypatch.setattr(wiring, "Wiring", Slow)
    with ThreadPoolExecutor(THREADS) as pool:
        assert len(set(pool.map(ask, range(THREADS)))) == 1
