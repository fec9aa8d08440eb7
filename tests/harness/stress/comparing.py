"""Compares the results of two galleries at the same version of the face set."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from chalicelib.errors import ServiceError
from chalicelib.faces import Embedding, SearchResult, Terms
from chalicelib.gallery.gallery import Gallery
from chalicelib.stores.database.connect import connect
from tests.harness.stress.report import COMPARED, DIFFERENT, Report

TRIES = 10
PAUSES_FOR_EACH_HOLD = 1


class Probe(NamedTuple):
    probe: Embedding
    threshold: float
    limit: int
    set_id: int

    def search(self, gallery: Gallery) -> SearchResult:
        return gallery.search(self.probe, Terms(self.threshold, self.limit, set_id=self.set_id))


class Comparing:
    """Searches while holding the lock of the counter's row, which blocks all changes."""

    def __init__(self, url: str, report: Report) -> None:
        self._database = connect(url)
        self._report = report

    def compare(self, gallery: Gallery, expected: Gallery, terms: Sequence[Probe]) -> None:
        """Report every difference."""

        def search() -> list[tuple[SearchResult, SearchResult]]:
            return [(each.search(gallery), each.search(expected)) for each in terms]

        started = time.monotonic()
        for _ in range(TRIES):
            with suppress(ServiceError):  # repeated faults of the index reach the caller
                pairs = self._database.write(
                    lambda t: (t.query("SELECT version FROM face_set_version WHERE id = 1 FOR UPDATE"), search())
                )[1]
                break
        else:
            self._report.fail(DIFFERENT, "nothing", f"no answer in {TRIES} tries")
            return
        # Changes must be blocked only for a small part of the time.
        time.sleep(PAUSES_FOR_EACH_HOLD * (time.monotonic() - started))
        for each, (found, wanted) in zip(terms, pairs, strict=True):
            self._report.count(COMPARED)
            if found != wanted:
                tokens = [[match.token for match in result.matches] for result in (found, wanted)]
                detail = f"{each.threshold}, {each.limit}, set {each.set_id}: {len(tokens[0])} for {len(tokens[1])}"
                missing, extra = set(tokens[1]) - set(tokens[0]), set(tokens[0]) - set(tokens[1])
                self._report.fail(
                    DIFFERENT, "search", f"{detail}, lacks {sorted(missing)[:5]}, has {sorted(extra)[:5]} too many"
                )
