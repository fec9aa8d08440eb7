"""Measures searches: `python -m tests.harness.benchmarks.gallery`.

Needs a MySQL server on 127.0.0.1:3306 that admits root without a password, or mariadbd or mysqld to start one, and
some 2 GB of its disk. Every ratio compares medians measured in turn in this run, on one thread.
"""

from __future__ import annotations

import mmap
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import NamedTuple

import faiss
import numpy as np
import simsimd

from chalicelib.faces import KnownFace, Terms
from chalicelib.gallery import snapshot
from chalicelib.gallery.codes import CodeBook, encode
from chalicelib.gallery.memory_gallery import MemoryGallery
from chalicelib.stores.database.base import Database
from chalicelib.stores.database.connect import connect
from chalicelib.stores.face_set import schema
from chalicelib.stores.face_set.face_set import MAX_FACES_PER_ADDITION, FaceSet
from chalicelib.stores.face_set.segments import SEGMENT_IDS, SegmentStore
from tests.embeddings import MODEL, known_faces
from tests.harness.benchmarks import gallery_plot, report
from tests.harness.benchmarks.exactness import differences
from tests.harness.benchmarks.spectra import Vectors, drawn
from tests.harness.stress.run import run as run_stress
from tests.services import mysql_database, mysql_port

DIMENSION = 160
# The default pack's distances at false match rates of 1e-4 and 1e-3.
STRICT, THRESHOLD = 0.606, 0.65
# As many as /identify may have.
PROBES = 20
LIMIT = 10_000
FACES_PER_PERSON = 20
MILLION = 1_000_000
RUNS = 21

_ALL_ROWS = """SELECT face.face_token, face.face_name, vector.embedding
    FROM face_set AS face JOIN face_set_embedding AS vector ON vector.face_id = face.id"""


class Point(NamedTuple):
    """A search among a number of faces: its milliseconds, and the growth of the process in bytes."""

    faces: int
    search_ms: float
    grown_bytes: int


class Figures:
    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str, str]] = []

    def add(self, what: str, bar: str, value: float, detail: str, *, most: float) -> None:
        verdict = f"{value:.3g}" if value <= most else f"**{value:.3g}**, missed"
        self.rows.append((what, bar, verdict, detail))
        print(f"{what}: {verdict} ({bar}); {detail}", file=sys.stderr, flush=True)


def main() -> None:
    faiss.omp_set_num_threads(1)
    figures = Figures()
    with mysql_port() as port:
        if port is None:
            sys.exit("There is no MySQL server on 127.0.0.1:3306, and neither mariadbd nor mysqld to start one.")
        _exactness(figures)
        _stress(figures, port)
        with _database(port) as (database, _):
            _against_a_loop(figures, database)
        with _database(port) as (database, url):
            points = _a_million_and_more(figures, database, url)
    gallery_plot.draw(points)
    header = ("what", "bar", "measured", "detail")
    curve = report.table(
        ("faces", "search, ms", "bytes a face"),
        [(f"{p.faces:,}", f"{p.search_ms:.2f}", f"{p.grown_bytes / p.faces:.0f}") for p in points],
    )
    report.write_section(
        "gallery",
        f"{report.machine()}, MariaDB or MySQL on the same machine, one thread. Vectors of 160 dimensions are drawn as "
        f"LFW's embeddings are distributed; thresholds are the default pack's.\n\n{report.table(header, figures.rows)}"
        f"\n\nA whole search (poll, scan, rows) and the process's growth, against the number of faces:\n\n{curve}"
        "\n\n![latency and memory against the number of faces](benchmarks-gallery.svg)",
    )


def _exactness(figures: Figures) -> None:
    searches, wrong = differences()
    figures.add("differences from float64 brute force", "0", wrong, f"{searches} searches, up to 1M faces", most=0)


def _stress(figures: Figures, port: int) -> None:
    for dialect in ("mysql", "sqlite"):
        with _url(port, dialect) as url:
            result = run_stress(url, changes=5_000, seed=1)
        figures.add(
            f"lost or phantom changes, read-your-writes failures, {dialect}",
            "0",
            result.failures,
            f"{result.changes} changes by 8 writers, {result.searches} searches by 4 readers, {result.kills} kills, "
            f"{result.rollbacks} rollbacks",
            most=0,
        )


def _against_a_loop(figures: Figures, database: Database) -> None:
    """Search as small projects do: read all rows and loop over them in Python."""
    vectors = drawn("LFW", 100_000, 1, FACES_PER_PERSON)
    face_set = _fill(database, vectors)
    gallery = _gallery(database)
    probe = vectors[5]

    def loop() -> list[tuple[str, str, float]]:
        found = []
        for token, name, data in database.read(_ALL_ROWS):
            distance = np.linalg.norm(np.frombuffer(data, np.float32) - probe)
            if distance <= STRICT:
                found.append((token, name, float(distance)))
        return sorted(found, key=lambda match: match[2])

    ours, theirs = report.interleaved_ms([lambda: gallery.search(probe, Terms(STRICT, LIMIT)), loop], 5)
    assert [token for token, _, _ in loop()] == [m.token for m in gallery.search(probe, Terms(STRICT, LIMIT)).matches]
    figures.add(
        "search at 100k / reading all rows and looping",
        "<= 1/300",
        ours / theirs,
        f"{ours:.2f} ms against {theirs:.0f} ms, 1/{theirs / ours:.0f}",
        most=1 / 300,
    )
    assert face_set.count() == len(vectors)


def _a_million_and_more(figures: Figures, database: Database, url: str) -> list[Point]:
    vectors = drawn("LFW", MILLION, 2, FACES_PER_PERSON)
    started = time.perf_counter()
    face_set = _fill(database, vectors)
    rate = MILLION / (time.perf_counter() - started)
    figures.add("bulk adding, ms a face", "<= 0.5", 1000 / rate, f"{rate:,.0f} faces a second", most=0.5)

    started = time.perf_counter()
    _gallery(database)
    by_row = time.perf_counter() - started
    started = time.perf_counter()
    snapshot.compact(face_set, SegmentStore(database))
    compaction = time.perf_counter() - started
    started = time.perf_counter()
    gallery = _gallery(database)
    by_segment = time.perf_counter() - started
    detail = f"{by_segment:.2f} s against {by_row:.1f} s; a first compaction takes {compaction:.1f} s"
    figures.add("cold load of 1M from segments / row by row", "<= 0.15", by_segment / by_row, detail, most=0.15)

    probe = vectors[7]
    wide = probe.astype(np.float64)
    index = faiss.IndexFlatL2(DIMENSION)
    index.add(vectors)
    _scans(figures, gallery._codes, vectors)

    def scan() -> object:
        return gallery._codes.near(wide, STRICT, LIMIT + 1)

    def search() -> object:
        return gallery.search(probe, Terms(STRICT, LIMIT))

    def with_faiss() -> object:
        return index.range_search(probe[None], STRICT**2)

    def poll() -> None:
        gallery.apply()

    def select_one() -> object:
        return database.read("SELECT 1")

    scanning, searching, faiss_ms, polling, asking = report.interleaved_ms(
        [scan, search, with_faiss, poll, select_one], RUNS
    )
    found = len(gallery.search(probe, Terms(STRICT, LIMIT)).matches)
    figures.add(
        "search at 1M / the scan alone",
        "<= 1.3",
        searching / scanning,
        f"{searching:.2f} ms, {found} matches",
        most=1.3,
    )
    figures.add(
        "search at 1M / faiss IndexFlatL2.range_search",
        "<= 0.35",
        searching / faiss_ms,
        f"{faiss_ms:.1f} ms, in memory",
        most=0.35,
    )
    figures.add(
        "poll without news / SELECT 1",
        "<= 10",
        polling / asking,
        f"{polling:.3f} ms against {asking:.3f} ms",
        most=10,
    )
    return _growth(figures, url, probe)


def _scans(figures: Figures, codes: CodeBook, vectors: Vectors) -> None:
    """Compare the scan with SimSIMD on one array of codes, and with reading them, at two thresholds and populations."""
    probes = vectors[:: len(vectors) // PROBES][:PROBES].astype(np.float64)
    others = drawn("east_asia", MILLION, 5)
    alike = CodeBook(DIMENSION)
    for start in range(0, MILLION, SEGMENT_IDS):
        part = others[start : start + SEGMENT_IDS]
        alike.add(encode(np.arange(start, start + len(part)), part))
    pages = mmap.mmap(-1, MILLION * DIMENSION, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    pages.madvise(mmap.MADV_HUGEPAGE)
    whole = np.frombuffer(pages, np.int8).reshape(MILLION, DIMENSION)
    whole[:] = np.concatenate([coded.codes for coded in encode(np.arange(MILLION), vectors)])

    def with_simsimd() -> object:
        distances = np.asarray(simsimd.cdist(whole[:1], whole, metric="sqeuclidean"))[0]
        return np.flatnonzero(distances <= distances[1])

    def read() -> int:
        """Read the same bytes with NumPy, eight at a time."""
        return int(whole.view(np.int64).sum())

    strict, loose, far, many, theirs, reading = report.interleaved_ms(
        [
            lambda: codes.near(probes[0], STRICT, LIMIT + 1),
            lambda: codes.near(probes[0], THRESHOLD, LIMIT + 1),
            lambda: alike.near(others[7].astype(np.float64), THRESHOLD, LIMIT + 1),
            lambda: codes.near_each(probes, STRICT, LIMIT + 1),
            with_simsimd,
            read,
        ],
        RUNS,
    )
    against = "scan of 1M / SimSIMD's int8 on one array and a threshold"
    for what, ms, bar in (("FMR 1e-4", strict, 0.65), ("FMR 1e-3", loose, 0.75), ("east_asia, FMR 1e-3", far, 1.1)):
        detail = f"{ms:.2f} ms against {theirs:.2f} ms"
        figures.add(f"{against}, {what}", f"<= {bar}", ms / theirs, detail, most=bar)
    figures.add(
        "scan of 1M / NumPy reading the same bytes",
        "<= 1.25",
        strict / reading,
        f"{strict:.2f} ms against {reading:.2f} ms",
        most=1.25,
    )
    figures.add(f"{PROBES} probes / one probe", "<= 8", many / strict, f"{many:.0f} ms", most=8)


def _growth(figures: Figures, url: str, probe: Vectors) -> list[Point]:
    # A separate process, with memory that no earlier measurement has used.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        points = process.submit(_grow, url, probe).result()
    at = {point.faces: point for point in points}
    grown = at[10 * MILLION].grown_bytes
    detail = f"the process grew by {grown / 2**20:.0f} MiB"
    figures.add("bytes a face at 10M", "<= 185", grown / (10 * MILLION), detail, most=185)
    small, large = at[MILLION].search_ms, at[10 * MILLION].search_ms
    figures.add("search at 10M / at 1M", "<= 11", large / small, f"{large:.1f} ms against {small:.2f} ms", most=11)
    return points


def _grow(url: str, probe: Vectors) -> list[Point]:
    """Fill a gallery in portions of the size of segments, and search it.

    Only the faces near the probe have rows, which are loaded first; polls and rows come from the database.
    """
    database = connect(url)
    face_set = FaceSet(database)
    gallery = MemoryGallery(face_set, SegmentStore(database), MODEL, DIMENSION)
    gallery._version = face_set.version()
    near = face_set.vectors(1, 2 * FACES_PER_PERSON)
    gallery._codes.add(encode(np.array([row.id for row in near]), np.stack([row.embedding for row in near])))
    gallery.search(probe, Terms(STRICT, LIMIT))
    points = []
    first_id = 2**40  # ids above those of the face set
    base = _resident_bytes()
    for count in (10_000, 30_000, 100_000, 300_000, MILLION, 3 * MILLION, 10 * MILLION):
        while len(gallery) < count:
            portion = min(SEGMENT_IDS, count - len(gallery))
            vectors = drawn("LFW", portion, seed=len(gallery))
            gallery._codes.add(encode(np.arange(first_id, first_id + portion), vectors))
            first_id += portion
        taken = report.median_ms(lambda: gallery.search(probe, Terms(STRICT, LIMIT)), 9)
        points.append(Point(count, taken, _resident_bytes() - base))
    return points


def _fill(database: Database, vectors: Vectors) -> FaceSet:
    face_set = FaceSet(database)
    for start in range(0, len(vectors), MAX_FACES_PER_ADDITION):
        faces: list[KnownFace] = known_faces(vectors[start : start + MAX_FACES_PER_ADDITION])
        face_set.add_many(faces)
    return face_set


def _gallery(database: Database) -> MemoryGallery:
    gallery = MemoryGallery(FaceSet(database), SegmentStore(database), MODEL, DIMENSION)
    gallery.apply()
    return gallery


def _resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def _url(port: int, dialect: str) -> Iterator[str]:
    import tempfile

    if dialect == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/face_set.sqlite"
        return
    with mysql_database(port) as name:
        yield f"mysql://root@127.0.0.1:{port}/{name}"


@contextmanager
def _database(port: int) -> Iterator[tuple[Database, str]]:
    with _url(port, "mysql") as url:
        database = connect(url)
        schema.migrate(database)
        yield database, url
        database.close()


if __name__ == "__main__":
    main()
