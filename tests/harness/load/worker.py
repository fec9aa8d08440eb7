"""Serves the API on a running stack in another process: `python -m tests.harness.load.worker PORT STATE`."""

from __future__ import annotations

import sys
from pathlib import Path

from infra.local import __main__, ending
from infra.local.one_heap import share_one_heap


def main() -> None:
    port, state = int(sys.argv[1]), Path(sys.argv[2])
    hurry = ending.on_signals()
    share_one_heap()
    try:
        with __main__.stack_of(state) as settings:
            __main__.serve(__main__.LOOPBACK, port, state, settings, hurry, state)
    except ending.Stopped:
        ending.leave()


if __name__ == "__main__":
    main()
