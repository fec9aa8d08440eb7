"""One more process that serves the API on a stack that runs: `python -m tests.load.worker PORT STATE`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from infra import local
from infra.one_heap import share_one_heap


def main() -> None:
    port, state = int(sys.argv[1]), Path(sys.argv[2])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    share_one_heap()
    with local.stack_of(state) as settings:
        local.serve(port, state, settings)


if __name__ == "__main__":
    main()
