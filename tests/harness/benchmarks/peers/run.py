"""Compares our packs with their alternatives: `python -m tests.harness.benchmarks.peers.run`; some 25 minutes.

Every contender runs in its own process, on one thread and on the same core. The contenders take turns, picture by
picture, so that changes in the machine's speed affect all of them. Each call is timed cold, after the others have used
the caches, as a container meets its requests, and warm, at once after the cold one. Figures are medians.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np

from chalicelib.faces import Image
from models.build import BUILD, build, card_path
from tests.harness.benchmarks import report
from tests.harness.benchmarks.peers import environment, pictures, plot
from tests.harness.benchmarks.peers.contenders import CONTENDERS
from tests.packs import RETAIL_FILES, YUNET, detector, embedder

# Counted runs of every contender on every picture, after one that is not counted.
SIZES = {(640, 480): 9, (1280, 720): 7, (4096, 4096): 2}
THREADED_PICTURES, THREADED_ROUNDS = 60, 7
CALLS = "warm", "cold"
EMBEDDING = "ours", "ours-dlib", "facenet-pytorch", "face_recognition"
PACKS = "retail-0095", "dlib"
SLOW = "face_recognition", "mtcnn"
CROWDS_EXPLAINED = """\
Faces found and other boxes, at the pictures' own sizes. Crowds are grids of LFW pictures, with faces of 31 to 93 px.
Faces in hard crowds are turned, dark, blurred, half covered or pale. Other boxes there are mostly people in the
background.

"""


class Worker:
    """A contender's process."""

    def __init__(self, name: str) -> None:
        python = environment.interpreter() if CONTENDERS[name].peer else Path(sys.executable)
        command = [str(python), "-m", "tests.harness.benchmarks.peers.worker", name]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._answer()  # the process is ready

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.terminate()
        self._process.wait()

    def ask(self, action: str, picture: Path, *, once: bool = False) -> dict[str, Any]:
        assert self._process.stdin is not None
        request = {"action": action, "picture": str(picture), "once": once}
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{' '.join(map(str, self._process.args))} ended")  # type: ignore[arg-type]
        answer: dict[str, Any] = json.loads(line)
        return answer


class Times:
    """Seconds by contender, action, size, picture and call: the wall and the CPU time of each run."""

    def __init__(self) -> None:
        self._taken: dict[tuple[str, str, str, str, str], list[list[float]]] = defaultdict(list)

    def add(self, name: str, action: str, size: str, picture: str, answer: dict[str, Any]) -> None:
        for call in CALLS:
            if call in answer:
                self._taken[name, action, size, picture, call].append(answer[call])

    def ms(
        self, name: str, action: str, size: str, call: str = "warm", *, cpu: bool = False, picture: str | None = None
    ) -> float:
        """Return the median of a picture, or the mean of all pictures' medians; 0 without measurements."""
        medians = [
            statistics.median(run[cpu] for run in taken) * 1000
            for (n, a, s, p, c), taken in self._taken.items()
            if (n, a, s, c) == (name, action, size, call) and picture in (None, p)
        ]
        return statistics.mean(medians) if medians else 0.0

    def worst(self, name: str, action: str, size: str, call: str) -> float:
        """Return the smallest ratio of a contender's time to ours, over all pictures."""
        shown = {p for (n, a, s, p, _) in self._taken if (n, a, s) == ("ours", action, size)}
        times = [[self.ms(n, action, size, call, picture=p) for n in (name, "ours")] for p in shown]
        return min(theirs / ours for theirs, ours in times)


def main() -> None:
    if missing := [file.name for file in RETAIL_FILES.values() if not file.exists()]:
        sys.exit(f"{', '.join(missing)} must be in {YUNET.parent}.")
    names = list(CONTENDERS)
    for name in PACKS:
        build(card_path(name), BUILD, [*RETAIL_FILES.values()] if name == "retail-0095" else [])
    times, sizes = Times(), [f"{width} x {height}" for width, height in SIZES]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        environment.interpreter()
        workers = {name: stack.enter_context(Worker(name)) for name in names}
        _time(workers, times, Path(folder))
        recall = _recall(workers, Path(folder))
        big = _saved(next(iter(pictures.timed(4096, 4096).values())), Path(folder) / "big.npy")
        peak = stack.enter_context(Worker("ours")).ask("detect", big)["peak_mb"]
    text = "\n\n".join(
        [
            f"{report.machine()}, one thread and one core each. *Warm* calls follow an untimed one; *cold* calls "
            "follow the other contenders' calls, which have used the processor's caches. Pictures: "
            f"{', '.join(pictures.timed(640, 480))}, fitted into frames of three sizes. "
            "The smallest face is 30 px, except for OpenCV's YuNet (10 px), mtcnn (25 px, because its release finds no "
            "faces from 26 px on) and face_recognition (40 px).",
            _bars(times, sizes, peak),
            "Milliseconds a picture, warm (cold), mean over the pictures:\n\n" + _table(names, times, sizes),
            CROWDS_EXPLAINED + recall,
            "![milliseconds a picture](benchmarks-peers.svg)",
        ]
    )
    report.write_section(f"peers, {report.processor()}", text)
    plot.draw({CONTENDERS[n].title: {s: times.ms(n, "detect", s) for s in sizes} for n in names}, sizes)


def _time(workers: dict[str, Worker], times: Times, folder: Path) -> None:
    for (width, height), runs in SIZES.items():
        for picture, image in pictures.timed(width, height).items():
            file = _saved(image, folder / "picture.npy")
            for run in range(runs + 1):
                for name, worker in workers.items():
                    # HOG takes half a minute a run at the largest size, and embeds the same faces as at other sizes.
                    slow = width > 2000 and name in SLOW
                    if run > 1 and slow:
                        continue
                    for action in ("detect", "embed") if width < 2000 else ("detect",):
                        if action == "detect" or name in EMBEDDING:
                            answer = worker.ask(action, file, once=slow)
                            if run:
                                times.add(name, action, f"{width} x {height}", picture, answer)
            print(f"{width} x {height}, {picture}: done", flush=True)


def _recall(workers: dict[str, Worker], folder: Path) -> str:
    sets = pictures.labelled()
    header = ["", *(f"{name}, {sum(p.faces for p in shown)} faces" for name, shown in sets.items())]
    counts: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for title, shown in sets.items():
        for picture in shown:
            file = _saved(picture.image, folder / "picture.npy")
            for name, worker in workers.items():
                counts[name, title].append(pictures.found(picture, worker.ask("detect", file)["boxes"]))
        print(f"recall on {title}: done", flush=True)
    rows = [[CONTENDERS[name].title, *(_sums(counts[name, title]) for title in sets)] for name in workers]
    return report.table(header, rows)


def _sums(counts: list[tuple[int, int]]) -> str:
    found, other = (sum(column) for column in zip(*counts, strict=True))
    return f"{found}, other {other}"


def _table(names: list[str], times: Times, sizes: list[str]) -> str:
    rows = []
    for action, columns in (("detect", sizes), ("embed", sizes[:2])):
        for name in names:
            if times.ms(name, action, sizes[0], "cold"):
                cells = [_cell(*(times.ms(name, action, size, call) for call in CALLS)) for size in columns]
                what = "faces" if action == "detect" else "faces and embeddings"
                rows.append([CONTENDERS[name].title, what, *cells, *[""] * (len(sizes) - len(columns))])
    return report.table(["", "what", *sizes], rows)


def _cell(warm: float, cold: float) -> str:
    return f"{warm:.1f} ({cold:.1f})" if warm else f"({cold:.1f})"


def _bars(times: Times, sizes: list[str], peak_mb: float) -> str:
    rows = []

    def ratio(peer: str, action: str, size: str, call: str, bar: float) -> None:
        measured, cpu = (
            times.ms(peer, action, size, call, cpu=cpu) / times.ms("ours", action, size, call, cpu=cpu)
            for cpu in (False, True)
        )
        what = "detect" if action == "detect" else "picture to embeddings"
        detail = f"CPU time {cpu:.1f}; the worst picture {times.worst(peer, action, size, call):.1f}"
        verdict = f"{measured:.1f}" if measured >= bar else f"**{measured:.1f}**, missed"
        rows.append([f"{what}, {size}, {call}, {peer} / ours", f">= {bar:g}", verdict, detail])

    for size, warm in zip(sizes, (9, 9, 8), strict=True):
        ratio("facenet-pytorch", "detect", size, "warm", warm)
        ratio("facenet-pytorch", "detect", size, "cold", 6)
    for size in sizes[:2]:
        ratio("facenet-pytorch", "embed", size, "warm", 9)
        ratio("face_recognition", "embed", size, "warm", 12)
    for size in sizes[:2]:
        part, dlib = (times.ms(n, "embed", size) - times.ms(n, "detect", size) for n in ("ours", "ours-dlib"))
        what = f"embeddings alone, {size}, the default pack / the dlib pack"
        rows.append([what, "<= 0.5", f"{part / dlib:.2f}", f"{part:.1f} ms against {dlib:.1f}"])
    rows.append(["two pictures on two cores / one on one", ">= 1.8", f"{_throughput():.2f}", "detection and embedding"])
    rows.append(["peak memory of a process after one 4096 x 4096 detection", "<= 260 MB", f"{peak_mb:.0f} MB", ""])
    return report.table(["what", "bar", "measured", "detail"], rows)


def _throughput() -> float:
    """Return how much faster two threads process the same pictures than one, as the median of rounds in turn."""
    cv2.setNumThreads(1)
    assert len(os.sched_getaffinity(0)) >= 2, "two cores are needed"
    shown = list(pictures.timed(640, 480).values()) * (THREADED_PICTURES // 4)

    def work(image: Image) -> None:
        embedder().embed(image, [face.landmarks for face in detector().detect(image)])

    work(shown[0])
    ratios = []
    for _ in range(THREADED_ROUNDS):
        taken = []
        for threads in (1, 2):
            with ThreadPoolExecutor(threads) as executor:
                started = time.perf_counter()
                list(executor.map(work, shown))
                taken.append(time.perf_counter() - started)
        ratios.append(taken[0] / taken[1])
    return statistics.median(ratios)


def _saved(image: Image, file: Path) -> Path:
    np.save(file, image)
    return file


if __name__ == "__main__":
    main()
