"""Ends the local stack on Ctrl-C, TERM or a closed terminal."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from typing import Any, NoReturn

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(SystemExit):
    """The first signal, raised in the main thread so that everything started is stopped in order."""


def on_signals() -> threading.Event:
    """Make the first signal raise `Stopped`, and every later signal set the returned event.

    A signal that the process inherited as ignored stays ignored, as `nohup` requires.
    """
    hurry = threading.Event()
    listened = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]

    def first(*_: Any) -> NoReturn:
        for number in listened:
            signal.signal(number, lambda *_: hurry.set())
        raise Stopped(0)

    for number in listened:
        signal.signal(number, first)
    return hurry


def leave() -> NoReturn:
    """End the process with status 0 without a Python shutdown: C++ would abort while threads still run."""
    with suppress(OSError):  # the terminal may be closed
        print("\nStopped.", flush=True)
        sys.stderr.flush()
    os._exit(0)
