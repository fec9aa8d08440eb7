"""Measures how much of a removed face remains in a running process, which frees memory without overwriting it.

`python -m tests.harness.faults.memory [NAME=value ...]` counts copies of the vector, the gallery's code and the crop in
the serving process, with these variables in its environment; Linux only. The gallery's own copy must disappear with the
next search (tests/unit/test_codes.py). The rest lingers in freed memory: numpy's and Python's caches of small blocks,
buffers of replies, and pages that SQLite connections have read.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.e2e.http_api import HttpApi
from tests.e2e.local_stack import local_stack
from tests.e2e.test_erasure import picture
from tests.harness.faults.traces import Bytes, in_memory


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.harness.faults.memory", description=__doc__)
    parser.add_argument("environment", nargs="*", metavar="NAME=value")
    environment = dict(pair.split("=", 1) for pair in parser.parse_args().environment)
    with (
        TemporaryDirectory(prefix="face-search-memory-") as folder,
        local_stack(Path(folder) / "state", **environment) as stack,
    ):
        api = HttpApi(stack.port)
        other, token = api.added(picture(1), "Ada"), api.added(picture(2), "Grace")
        api.search(other)
        database = sqlite3.connect(stack.state / "face_set.sqlite")
        [(embedding,)] = database.execute("SELECT embedding FROM face_set_embedding ORDER BY face_id DESC LIMIT 1")
        database.close()
        sought = Bytes.of(embedding, api.session.get(f"{api.url}/faces/{token}/crop").content)
        _tell("added", sought, stack.process.pid)
        api.remove(token)
        _tell("removed", sought, stack.process.pid)
        api.search(other)
        _tell("removed, and one search", sought, stack.process.pid)
        for seed in range(3, 8):
            api.search(api.token(picture(seed)))
        _tell("and five detections and searches", sought, stack.process.pid)


def _tell(when: str, sought: Bytes, pid: int) -> None:
    counts = in_memory(sought, pid)
    copies = ", ".join(f"{name} {count / len(sought.parts[name]):.1f}" for name, count in counts.items())
    sys.stdout.write(f"{when}: copies: {copies}\n")


if __name__ == "__main__":
    main()
