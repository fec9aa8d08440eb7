"""moto's server, with S3 Vectors as infra/s3_vectors has it, as a process of its own; ends when its parent does.

Run by local.py: `python -m infra.moto_server PORT`; prints the port it listens on. 0 takes a free one.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from moto.server import ThreadedMotoServer


def start(port: int) -> ThreadedMotoServer:
    """Start a server in a thread of this process, on 127.0.0.1."""
    from moto.server import ThreadedMotoServer

    from infra.s3_vectors.installation import install

    install()
    server = ThreadedMotoServer("127.0.0.1", port=port, verbose=False)
    server.start()
    return server


def main() -> None:
    parent = os.getppid()
    server = start(int(sys.argv[1]))
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
