"""Measures growth and leaks of one process over thousands of requests with varied pictures. Linux only.

`python -m tests.harness.load.memory --requests 5000 --seed 1` samples after every 100 requests. It exits with 1 when
RSS or PSS grows by 5 % or more, along the median slope of all pairs of samples after the first fifth of the requests.
It also exits with 1 when more files, threads or connections are open at the end than after the first fifth. Before the
first request, all clients send the largest picture at once, several times. The process keeps that memory for later
requests, so it does not count as growth.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import numpy as np

from tests.e2e.api import Reply
from tests.e2e.http_api import HttpApi
from tests.e2e.local_stack import local_stack
from tests.harness.load.process_size import ProcessSize, Size
from tests.harness.load.varied_pictures import largest_picture, varied_picture
from tests.harness.stress.databases import new_mysql

BETWEEN_SAMPLES = 100
MOST_GROWTH = 0.05
WARM_UP = 0.2
LARGEST_PICTURES = 3
# The largest number of one client's faces that are known, or detected and waiting, at a time.
MOST_FACES = 50


class Sender:
    """One client, with a new connection for each share of the requests."""

    def __init__(self, port: int, seed: str) -> None:
        self._port = port
        self._random = Random(seed)
        self._detected: list[str] = []
        self._known: list[str] = []
        self.statuses: Counter[tuple[str, int]] = Counter()

    def send(self, requests: int) -> None:
        api = HttpApi(self._port)
        for _ in range(requests):
            what = self._random.choices(["detect", "search", "picture", "add", "remove"], [50, 15, 15, 10, 10])[0]
            reply = self._ask(api, what)
            self.statuses[what, reply.status] += 1
            assert reply.status < 500, reply.text
        api.session.close()

    def send_largest(self) -> None:
        api = HttpApi(self._port)
        for _ in range(LARGEST_PICTURES):
            assert api.post("/detect", image_file=largest_picture()).status == 200
        api.session.close()

    def _ask(self, api: HttpApi, what: str) -> Reply:
        if what == "add" and self._detected and len(self._known) < MOST_FACES:
            self._known.append(self._detected.pop())
            return api.post("/addface", face_token=self._known[-1], face_name=f"{self._random.random()}")
        if what == "remove" and self._known:
            return api.get("/removeface", face_token=self._known.pop(self._random.randrange(len(self._known))))
        if what == "search" and self._known:
            return api.get("/search", face_token=self._random.choice(self._known), threshold="1")
        picture, sound = varied_picture(self._random)
        if what == "picture":
            reply = api.post("/search", ("image_file", picture), ("threshold", "1"))
            assert (reply.status in (200, 422)) is sound, reply.text
            return reply
        reply = api.post("/detect", image_file=picture)
        assert (reply.status == 200) is sound, reply.text
        if sound:
            self._detected = [*(face["face_token"] for face in reply.body["faces"]), *self._detected][:MOST_FACES]
        return reply


def growth(samples: Sequence[float]) -> float:
    """Return a series' growth as a share of its median, along the median slope of all pairs (Theil and Sen)."""
    earlier, later = np.triu_indices(len(samples), 1)
    values = np.asarray(samples)
    slope = np.median((values[later] - values[earlier]) / (later - earlier))
    return float(slope * (len(samples) - 1) / np.median(values))


def leaked(counts: Sequence[int]) -> int:
    """Return the median of the last quarter minus the median of the first."""
    quarter = max(1, len(counts) // 4)
    return max(0, statistics.median_high(counts[-quarter:]) - statistics.median_high(counts[:quarter]))


def report(samples: Sequence[Size], warm_up: int) -> tuple[str, bool]:
    """Return a report of the samples, and whether there was neither growth nor a leak."""
    after = samples[warm_up:]
    grown = {name: growth([getattr(size, name) for size in after]) for name in ("rss", "pss")}
    kept = {name: leaked([getattr(size, name) for size in after]) for name in ("files", "threads", "connections")}
    lines = [
        *(
            f"{name}: {getattr(after[0], name):.0f} to {getattr(after[-1], name):.0f} MB, growth {share:+.1%}"
            for name, share in grown.items()
        ),
        *(
            f"{name}: {min(counts)} to {max(counts)}, leaked {number}"
            for name, number in kept.items()
            for counts in [[getattr(size, name) for size in after]]
        ),
    ]
    return "\n".join(lines), max(grown.values()) < MOST_GROWTH and not any(kept.values())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.harness.load.memory", description=__doc__)
    for option, default in {"requests": 5000, "clients": 2, "seed": 1}.items():
        parser.add_argument(f"--{option}", type=int, default=default)
    options = parser.parse_args()
    # Like an interrupt from the keyboard, so that processes and databases are removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    started, samples = time.monotonic(), []
    with new_mysql() as url, TemporaryDirectory(prefix="face-search-load-") as folder:
        if url is None:
            parser.exit(1, "there is no MySQL server on this machine\n")
        server = urlsplit(url)
        with local_stack(Path(folder) / "state", DATABASE_URL=url) as stack:
            process = ProcessSize(stack.process.pid, server.path.lstrip("/"), server.port or 3306)
            senders = [Sender(stack.port, f"{options.seed}/{i}") for i in range(options.clients)]
            with ThreadPoolExecutor(len(senders)) as threads:
                list(threads.map(lambda sender: sender.send_largest(), senders))
                for sent in range(BETWEEN_SAMPLES, options.requests + 1, BETWEEN_SAMPLES):
                    share = BETWEEN_SAMPLES // len(senders)
                    list(threads.map(lambda sender, share=share: sender.send(share), senders))
                    samples.append(process.look())
                    size = samples[-1]
                    sys.stderr.write(
                        f"{sent:>6,} requests, {time.monotonic() - started:>5.0f} s: RSS {size.rss:.0f} MB, "
                        f"PSS {size.pss:.0f} MB, {size.files} files, {size.threads} threads, "
                        f"{size.connections} connections\n"
                    )
    told, sound = report(samples, round(len(samples) * WARM_UP))
    statuses = sum((sender.statuses for sender in senders), Counter[tuple[str, int]]())
    answers = ", ".join(f"{what} {status}: {number:,}" for (what, status), number in sorted(statuses.items()))
    sys.stdout.write(
        f"{options.requests:,} requests, {time.monotonic() - started:.0f} s, seed {options.seed}, "
        f"load {os.getloadavg()[0]:.1f}\n{told}\n{answers}\n"
    )
    sys.exit(not sound)


if __name__ == "__main__":
    main()
