"""Searches while other processes change the face set, and checks the results against the journals."""

from __future__ import annotations

import os
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace

from chalicelib.errors import ServiceError
from chalicelib.gallery.exact_search import ExactSearch
from chalicelib.stores.database.connect import connect
from chalicelib.stores.face_set.face_set import FaceSet
from tests.harness.stress import conditions
from tests.harness.stress.check import check
from tests.harness.stress.comparing import Comparing, Probe
from tests.harness.stress.final_check import check_galleries
from tests.harness.stress.galleries import new_gallery, new_memory_gallery
from tests.harness.stress.journal import Ledger
from tests.harness.stress.numbered_faces import SET_IDS, Embeddings, embedding, set_id
from tests.harness.stress.plan import Fault, Plan
from tests.harness.stress.report import ENDLESS, REFUSED, SEARCHES, Report

EVERYTHING = 100.0
THRESHOLDS = (*(0.0, 0.3, 0.65, 0.9) * 5, EVERYTHING)
LIMITS = (1, 3, 20, 100_000)
# Changes between two searches of the seldom-used gallery: more than the log keeps, at any rate of changes.
LAZY_CHANGES = 60
# Pairs of searches before each new gallery.
PAIRS_PER_NEW_GALLERY = 12
PAUSE_SECONDS = 0.005
LONGEST_SEARCH_SECONDS = 120


def read(plan: Plan, name: str) -> None:
    """Search until the run's stop file exists, then compare the galleries with the rows."""
    conditions.prepare(plan)
    conditions.delay_statements(plan.random(f"{name} delays"))
    report = Report(plan.folder, name)
    conditions.take_naps(plan.random(f"{name} naps"), report, every=5, longest=1.5)
    _Reader(plan, name, report).run()


class _Reader:
    """Searches one gallery all the time, one seldom, and at times a new one."""

    def __init__(self, plan: Plan, name: str, report: Report) -> None:
        self._plan = plan
        self._report = report
        self._random = plan.random(name)
        self._database = connect(plan.url)
        self._ledger = Ledger([plan.journal(writer) for writer in range(plan.writers)])
        self._embeddings = Embeddings()
        self._busy, self._lazy = self._new_gallery(), self._new_gallery()
        self._memory = new_memory_gallery(self._database, replace(plan, fault=Fault.NONE), self._random, report)
        self._comparing = Comparing(plan.url, report)
        self._lazy_at = 0
        # The faces mentioned most recently.
        self._recent: deque[int] = deque(maxlen=20)

    def run(self) -> None:
        with ThreadPoolExecutor(2) as pool:
            while not self._plan.stop.exists():
                self._plan.check_time()
                self._search_twice(self._any_gallery(), pool)
                time.sleep(PAUSE_SECONDS)
        self._ledger.read()
        galleries = {"busy": self._busy, "lazy": self._lazy, "new": self._new_gallery()}
        check_galleries(galleries, FaceSet(self._database), self._some_numbers(12), self._report)

    def _new_gallery(self) -> ExactSearch:
        return new_gallery(self._database, self._plan, self._random, self._report)

    def _any_gallery(self) -> ExactSearch:
        if self._ledger.answered >= self._lazy_at:
            self._lazy_at = self._ledger.answered + LAZY_CHANGES
            return self._lazy
        return self._busy if self._random.randrange(PAIRS_PER_NEW_GALLERY) else self._new_gallery()

    def _search_twice(self, gallery: ExactSearch, pool: ThreadPoolExecutor) -> None:
        """Search with two threads at once, for a recently changed face and for any face."""
        self._recent.extend(self._ledger.read())
        before = self._ledger.fates()
        if not len(before):
            return
        numbers = self._random.choice(self._recent), self._random.randrange(len(before))
        # Search its own face set as often as all others.
        terms = [
            Probe(
                embedding(number),
                self._random.choice(THRESHOLDS),
                self._random.choice(LIMITS),
                self._random.choice((set_id(number), self._random.choice(SET_IDS))),
            )
            for number in numbers
        ]
        searches = [pool.submit(each.search, gallery) for each in terms]
        if wait(searches, timeout=LONGEST_SEARCH_SECONDS).not_done:
            self._report.fail(ENDLESS, numbers, f"none after {LONGEST_SEARCH_SECONDS} s")
            os._exit(1)  # leaving the pool would wait for its threads
        self._recent.extend(self._ledger.read())
        after = self._ledger.fates()
        for (probe, threshold, limit, within), search in zip(terms, searches, strict=True):
            try:
                found = search.result()
            except ServiceError as error:
                if error.status != 503:
                    raise
                self._report.count(REFUSED)
                continue
            distances = self._embeddings.distances(probe, len(after), within)
            for failure in check(found, distances, threshold, limit, before, after):
                self._report.fail(failure.kind, failure.number, failure.detail)
            self._report.count(SEARCHES)
        if self._plan.vectors:
            self._comparing.compare(gallery, self._memory, terms)

    def _some_numbers(self, count: int) -> list[int]:
        return [self._random.randrange(len(self._ledger.fates())) for _ in range(count)]
