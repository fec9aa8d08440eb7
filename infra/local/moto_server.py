"""Runs moto's server, with the S3 Vectors of infra/s3_vectors, as a separate process that ends with its parent.

infra.local starts it as `python -m infra.local.moto_server PORT`. It prints its port; PORT 0 takes a free one.
"""

from __future__ import annotations

import argparse
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from infra.local import moto_expiry
from infra.local.crop_mirror import CropMirror

if TYPE_CHECKING:
    from moto.server import ThreadedMotoServer


def start(port: int) -> ThreadedMotoServer:
    """Start a server on 127.0.0.1, in a thread of this process."""
    from moto.server import ThreadedMotoServer

    from infra.s3_vectors.installation import install

    install()
    server = ThreadedMotoServer("127.0.0.1", port=port, verbose=False)
    server.start()
    return server


def main() -> None:
    parent = os.getppid()
    arguments = _arguments()
    moto_expiry.start()
    if arguments.crops:
        folder, bucket = arguments.crops
        mirror = CropMirror(Path(folder), bucket)
        mirror.restore()
        mirror.attach()
    server = start(arguments.port)
    if arguments.rates:
        from infra.s3_vectors.emulation import emulation
        from infra.s3_vectors.rates import WriteRates

        emulation.rates = WriteRates()
    print(server.get_host_and_port()[1], flush=True)
    stop = threading.Event()
    threading.Thread(target=_watch, args=(parent, stop), daemon=True).start()
    stop.wait()
    # The server's threads have nothing to clean up.
    os._exit(0)


def _watch(parent: int, stop: threading.Event) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    stop.set()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.local.moto_server")
    parser.add_argument("port", type=int)
    parser.add_argument("--rates", action="store_true", help="make S3 Vectors enforce the service's write rates")
    parser.add_argument("--crops", nargs=2, metavar=("FOLDER", "BUCKET"), help="store a bucket's permanent crops")
    return parser.parse_args()


if __name__ == "__main__":
    main()
