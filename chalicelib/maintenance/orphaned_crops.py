"""Finds and deletes orphaned crops: no row of the face set refers to them. Failures between two stores leave them.

The service itself never leaves a row without a crop. If crops were deleted from outside, rows without one are counted
and kept.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from chalicelib.stores.aws.crops import CropStore, StoredCrop
from chalicelib.stores.aws.s3_objects import MAX_DELETIONS_PER_REQUEST
from chalicelib.stores.face_set.referenced_crops import ReferencedCrops

# An addition copies its crop and then adds its row, within a minute. A crop younger than this may still get its row.
SAFE_AGE_SECONDS = 3_600
# More orphans than both limits, or orphans only, point to another fault: the bucket of another face set, or a database
# that was restored or is empty.
CREDIBLE_NUMBER = 1_000
CREDIBLE_SHARE = 0.1
# Crops deleted per run, as their names are held in memory. The next run continues. All orphans are counted.
MAX_DELETIONS = 100_000

# Names are random UUIDs, so their first digits split them evenly: ten thousand pages are listed in parallel.
_PARTS = "0123456789abcdef"

_log = logging.getLogger(__name__)


@dataclass
class Report:
    """The result of one run, in numbers of crops.

    `young` crops have no row but may still get one. `orphans` are all other crops without a row. `deleted` and `failed`
    count orphans that were deleted or could not be; the next run deletes the rest. `missing` counts rows without a
    crop; None when unknown. `complete` is False when time was up before the end. `credible` is False when nothing was
    deleted, because the rows do not seem to belong to this bucket.
    """

    crops: int = 0
    young: int = 0
    orphans: int = 0
    deleted: int = 0
    failed: int = 0
    missing: int | None = None
    complete: bool = True
    credible: bool = True


@dataclass
class _Rows:
    """For every face: the hash of its crop's name (sorted, unique), its id, and whether the crop was seen.

    Takes 17 bytes per face; the names would take a hundred. If two names have the same hash, an orphan may be kept.
    """

    hashes: NDArray[np.int64]
    ids: NDArray[np.int64]
    seen: NDArray[np.bool_]


@dataclass
class _Part:
    """The crops with names that start with one digit."""

    crops: int = 0
    young: int = 0
    orphans: int = 0
    to_delete: list[str] = field(default_factory=list)
    complete: bool = True


class Reconciliation:
    """Deletes orphaned crops in one run. Other runs, additions and removals may go on meanwhile.

    Parameters
    ----------
    however_many
        Whether to delete orphans even if there are suspiciously many.
    may_go_on
        Called before every page, range of ids and batch. False ends the run; the next run starts again.
    clock
        Returns the seconds since 1970. S3 rejects requests when the clock differs from its own by more than 15 minutes;
        SAFE_AGE_SECONDS allows for this difference.
    """

    def __init__(
        self,
        named: ReferencedCrops,
        crops: CropStore,
        *,
        however_many: bool = False,
        may_go_on: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._named = named
        self._crops = crops
        self._however_many = however_many
        self._may_go_on = may_go_on
        self._clock = clock

    def run(self) -> Report:
        """Read all rows, then list all crops, and delete the orphans.

        A crop of SAFE_AGE_SECONDS either got its row before the rows are read here, or never gets one, as names are
        never reused.

        Raises
        ------
        ServiceError
            When a store fails; crops already deleted stay deleted.
        """
        old = self._clock() - SAFE_AGE_SECONDS
        rows = self._read_rows()
        if rows is None:
            return Report(complete=False)
        with ThreadPoolExecutor(len(_PARTS)) as executor:
            parts = list(executor.map(lambda digit: self._look_through(digit, rows, old), _PARTS))
        report = Report(
            crops=sum(part.crops for part in parts),
            young=sum(part.young for part in parts),
            orphans=sum(part.orphans for part in parts),
            complete=all(part.complete for part in parts),
        )
        if report.complete:
            report.missing = self._named.count(rows.ids[~rows.seen].tolist())
            report.credible = self._however_many or _is_credible(report, int(np.count_nonzero(rows.seen)))
            self._delete([name for part in parts for name in part.to_delete], report)
        return report

    def _read_rows(self) -> _Rows | None:
        """Return all rows, or None when time was up."""
        found: list[NDArray[np.int64]] = [np.empty((0, 2), np.int64)]
        for ids in self._named.ranges():
            if not self._may_go_on():
                return None
            pairs = [(hash(name), face_id) for face_id, name in self._named.within(ids)]
            found.append(np.array(pairs, np.int64).reshape(-1, 2))
        rows = np.concatenate(found)
        hashes, first = np.unique(rows[:, 0], return_index=True)
        return _Rows(hashes, rows[first, 1], np.zeros(len(hashes), np.bool_))

    def _look_through(self, digit: str, rows: _Rows, old: float) -> _Part:
        part = _Part()
        pages = self._crops.permanent(digit)
        while self._may_go_on():
            page = next(pages, None)
            if page is None:
                return part
            part.crops += len(page)
            unnamed = self._unnamed(page, rows)
            orphans = [crop.name for crop in unnamed if crop.modified_at <= old]
            part.young += len(unnamed) - len(orphans)
            part.orphans += len(orphans)
            part.to_delete += orphans[: MAX_DELETIONS // len(_PARTS) - len(part.to_delete)]
        part.complete = False
        return part

    def _unnamed(self, page: list[StoredCrop], rows: _Rows) -> list[StoredCrop]:
        hashes = np.array([hash(crop.name) for crop in page], np.int64)
        places = np.searchsorted(rows.hashes, hashes)
        named = np.zeros(len(page), np.bool_)
        within = places < len(rows.hashes)
        named[within] = rows.hashes[places[within]] == hashes[within]
        rows.seen[places[named]] = True
        return [crop for crop, is_named in zip(page, named, strict=True) if not is_named]

    def _delete(self, orphans: list[str], report: Report) -> None:
        if not report.credible:
            _log.error(
                "%d of %d crops are named by no face, so none was deleted: check that this is the face set's bucket. "
                "To delete the crops, run reconcile with --however-many",
                report.orphans,
                report.crops,
            )
            return
        for start in range(0, len(orphans), MAX_DELETIONS_PER_REQUEST):
            if not self._may_go_on():
                report.complete = False
                return
            batch = orphans[start : start + MAX_DELETIONS_PER_REQUEST]
            failed = self._crops.delete_many(batch)
            report.failed += failed
            report.deleted += len(batch) - failed


def _is_credible(report: Report, named: int) -> bool:
    """Return whether the counts of a complete run are plausible; partial counts would prove nothing."""
    if not report.orphans:
        return True
    return named > 0 and report.orphans <= max(CREDIBLE_NUMBER, CREDIBLE_SHARE * report.crops)
