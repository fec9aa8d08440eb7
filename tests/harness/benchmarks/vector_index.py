"""Measures how fast changes reach a rate-limited vector index, and how many requests are refused.

`python -m tests.harness.benchmarks.vector_index [--faces 100000]`. The service is moto's server in its own
process, with the write rates of S3 Vectors. This measures whether the client uses the full rates, not the speed of the
service.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import requests

from chalicelib.faces import KnownFace
from chalicelib.stores.aws import sdk, vector_store
from chalicelib.stores.database.connect import connect
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.stores.face_set.schema import migrate
from chalicelib.vector_wiring import VectorWiring
from infra.local import resources
from infra.s3_vectors.installation import SEEN_PATH
from infra.s3_vectors.rates import WRITTEN_VECTORS_PER_SECOND
from tests.embeddings import MODEL, unit_vectors
from tests.harness.benchmarks.report import machine, table, write_section
from tests.harness.stress.addresses import lead_to

FACES = 100_000
DIMENSION = 128
FACES_PER_TRANSACTION = 1_000
BUCKET = "benchmark"
NO_PACE = 1e9


class Run(NamedTuple):
    """One run; `cpu_seconds` are the client's.

    `throttled` counts requests answered 429; `missing` counts vectors that the final index lacks or has wrong.
    """

    seconds: float
    cpu_seconds: float
    throttled: int
    missing: int
    recall: float


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.harness.benchmarks.vector_index", description=__doc__)
    parser.add_argument("--faces", type=int, default=FACES)
    faces = parser.parse_args().faces
    vectors = unit_vectors(faces, dimension=DIMENSION)
    known = [KnownFace(f"{i:024d}", f"name {i}", vector, MODEL, f"{i}.jpg") for i, vector in enumerate(vectors)]
    with _service() as endpoint, TemporaryDirectory() as folder:
        paced = _apply(endpoint, Path(folder, "paced"), known)
        vector_store.MAX_VECTORS_PER_SECOND = NO_PACE  # type: ignore[assignment]
        unpaced = _apply(endpoint, Path(folder, "unpaced"), known)
    # The rate limit allows the first second's vectors at once.
    least = (faces - WRITTEN_VECTORS_PER_SECOND) / WRITTEN_VECTORS_PER_SECOND
    rows = [
        [
            f"{faces:,} faces applied, {how}",
            f"{run.seconds / least:.2f}",
            f"{run.seconds:.1f} s, {run.cpu_seconds:.1f} s of CPU time, against {least:.1f} s",
            f"{run.throttled:,}",
            f"{run.missing:,}",
            f"{run.recall:.4f}",
        ]
        for how, run in (("at the client's own pace", paced), ("with nothing but its patience", unpaced))
    ]
    header = ["what", "time / the time that the rate allows", "detail", "answers 429", "vectors not there", "recall"]
    write_section("vector index", f"{machine()}; load {os.getloadavg()[0]:.1f}\n\n{table(header, rows)}")


def _apply(endpoint: str, folder: Path, known: list[KnownFace]) -> Run:
    """Add faces without an index, as when the service cannot be reached, then apply all of them."""
    folder.mkdir()
    database = connect(f"sqlite:///{folder / 'face_set.sqlite'}")
    migrate(database)
    parts = VectorWiring(database, BUCKET)
    parts.rebuild.run(MODEL, DIMENSION)
    face_set = FaceSet(database)
    for start in range(0, len(known), FACES_PER_TRANSACTION):
        face_set.add_many(known[start : start + FACES_PER_TRANSACTION])
    assert parts.changes.behind() == len(known)
    before, changes = _throttled(endpoint), parts.changes
    started, cpu_before = time.perf_counter(), time.process_time()
    changes.apply()
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_before
    throttled = _throttled(endpoint) - before
    assert parts.changes.behind() == 0
    reconciliation = parts.reconciliation(MODEL, DIMENSION, lambda: True)
    found, recall = reconciliation.run(), reconciliation.measure()
    assert found is not None
    assert found.complete
    assert recall is not None
    database.close()
    return Run(seconds, cpu_seconds, throttled, found.missing + found.different + found.surplus, recall.share)


def _throttled(endpoint: str) -> int:
    seen = requests.get(f"{endpoint}{SEEN_PATH}", timeout=10).json()
    assert seen["violations"] == []
    return sum(count for reply, count in seen["replies"].items() if reply.endswith(" 429"))


@contextmanager
def _service() -> Iterator[str]:
    """Start moto's server with rate limits, and point this process's clients to it."""
    with subprocess.Popen(
        [sys.executable, "-m", "infra.local.moto_server", "0", "--rates"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        endpoint = f"http://127.0.0.1:{int(process.stdout.readline())}"
        lead_to(endpoint)
        resources.create_vector_bucket(sdk.client("s3vectors"), BUCKET)
        try:
            yield endpoint
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
