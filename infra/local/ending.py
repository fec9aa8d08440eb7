"""How the local stack ends on Ctrl-C, TERM or a closed terminal."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from typing import Any, NoReturn

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(SystemExit):
    """The first signal, raised in the main thread: all that was started is stopped in order."""


def on_signals() -> threading.Event:
    """Have the first signal raise `Stopped`, and every later one set the event that is returned.

    A signal that the process was started to ignore stays ignored, as `nohup` wants it.
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
    """End the process with status 0 although threads still work: were it taken down under them, C++ would abort."""
    with suppress(OSError):  # of a terminal that is closed
        print("\nStopped.", flush=True)
        sys.stderr.flush()
    os._exit(0)
