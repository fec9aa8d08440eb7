"""moto's server as a process of its own, which ends when the process that started it does.

Run by local.py: `python -m infra.moto_server PORT`; prints the port it listens on. 0 takes a free one.
"""

from __future__ import annotations

import os
import sys
import threading
import time


def main() -> None:
    parent = os.getppid()
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=int(sys.argv[1]), verbose=False)
    server.start()
    print(server.get_host_and_port()[1], flush=True)
    stop = threading.Event()
    threading.Thread(target=_watch, args=(parent, stop), daemon=True).start()
    stop.wait()
    # Its threads hold nothing that must be put in order.
    os._exit(0)


def _watch(parent: int, stop: threading.Event) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    stop.set()


if __name__ == "__main__":
    main()
