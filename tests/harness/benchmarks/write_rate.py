"""Measures the database's changes and polls a second: `python -m tests.harness.benchmarks.write_rate`.

Has the same requirements as tests/harness/benchmarks/gallery.py. All writers wait for one row, the change log's
counter, so more writers do not increase the rate. Readers do not wait for the row.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

from chalicelib.faces import new_token
from chalicelib.stores.database.connect import connect
from chalicelib.stores.face_set import schema
from chalicelib.stores.face_set.face_set import FaceSet
from tests.embeddings import known_faces
from tests.harness.benchmarks import report
from tests.harness.stress.databases import new_mysql

SECONDS = 5.0
WRITERS = (1, 2)
DIMENSION = 128


def main(seconds: float = SECONDS) -> None:
    with new_mysql() as url:
        if url is None:
            sys.exit("There is no MySQL server on 127.0.0.1:3306, and neither mariadbd nor mysqld to start one.")
        database = connect(url)
        schema.migrate(database)
        database.close()
        rates = [
            (name, *(f"{sum(_together(work, count, url, seconds)):,.0f}" for count in WRITERS))
            for name, work in (("additions, one by one", _add), ("polls without news", _poll))
        ]
    print(f"{report.machine()}, MariaDB or MySQL on the same machine.\n")
    print(report.table(("a second, by processes", *map(str, WRITERS)), rates))


def _together(work: Callable[[str, int, float], float], count: int, url: str, seconds: float) -> list[float]:
    with ProcessPoolExecutor(count, get_context("spawn")) as pool:
        return list(pool.map(work, [url] * count, range(count), [seconds] * count))


def _add(url: str, seed: int, seconds: float) -> float:
    face_set = FaceSet(connect(url))
    [face] = known_faces(np.random.default_rng(seed).standard_normal((1, DIMENSION), dtype=np.float32))
    return _rate(lambda: face_set.add(face._replace(token=new_token())), seconds)


def _poll(url: str, _: int, seconds: float) -> float:
    face_set = FaceSet(connect(url))
    return _rate(face_set.state, seconds)


def _rate(act: Callable[[], object], seconds: float) -> float:
    """Return how often per second an action runs, after one untimed run."""
    act()
    times, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        act()
        times += 1
    return times / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
