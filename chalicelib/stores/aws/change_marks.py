"""Marks in S3 that the face set has changed, so that scheduled work need not ask a database that pauses.

A mark is an empty object, named after the time slot in which a change was announced; all writers of a slot share one. A
writer puts the mark before its change, and scheduled work deletes it once it has done its work for everything that was
announced in the slot. A mark may be put in vain, but no change is without one until its work is done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from chalicelib.stores.aws import s3_objects
from chalicelib.stores.aws.s3_objects import MAX_DELETIONS_PER_REQUEST
from chalicelib.stores.aws.sdk import faults_translated

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# As often as `compact` is scheduled. The rest is for transactions that began at the slot's end, and clocks that differ.
COMPACTION_SLOT_SECONDS, COMPACTION_REST_SECONDS = 300, 120
# As often as `reconcile`, which leaves crops alone that are younger than an hour.
RECONCILIATION_SLOT_SECONDS, RECONCILIATION_REST_SECONDS = 86_400, 3_720


class ChangeMarks:
    """The marks for one kind of scheduled work. Every method raises ServiceError as the crops' store does.

    Parameters
    ----------
    client
        Returns an S3 client; called when one is first needed.
    work
        The name of the work, which is part of the marks' names.
    slot_seconds, rest_seconds
        The length of a slot, and how long after its end all changes announced in it are visible to the work.
    clock
        Returns the seconds since 1970.
    """

    def __init__(
        self,
        client: Callable[[], S3Client],
        bucket: str,
        work: str,
        slot_seconds: int,
        rest_seconds: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = f"changes/{work}/"
        self._slot_seconds = slot_seconds
        self._rest_seconds = rest_seconds
        self._clock = clock
        self._marked = -1

    def put(self) -> None:
        """Announce a change that is about to be made. A process sends one request in each slot."""
        slot = int(self._clock()) // self._slot_seconds
        if slot == self._marked:
            return
        with faults_translated():
            self._client().put_object(Bucket=self._bucket, Key=f"{self._prefix}{slot}", Body=b"")
        self._marked = slot

    def found(self) -> list[int]:
        """Return the slots that have a mark."""
        pages = s3_objects.pages(self._client(), self._bucket, self._prefix)
        return [int(item["Key"].removeprefix(self._prefix)) for page in pages for item in page]

    def at_rest(self, slots: Sequence[int]) -> list[int]:
        """Return the slots in which every announced change has been made or given up by now."""
        last = (int(self._clock()) - self._rest_seconds) // self._slot_seconds
        return [slot for slot in slots if slot < last]

    def delete(self, slots: Sequence[int]) -> None:
        keys = [f"{self._prefix}{slot}" for slot in slots]
        for start in range(0, len(keys), MAX_DELETIONS_PER_REQUEST):
            s3_objects.delete(self._client(), self._bucket, keys[start : start + MAX_DELETIONS_PER_REQUEST])


def for_compaction(client: Callable[[], S3Client], bucket: str) -> ChangeMarks:
    return ChangeMarks(client, bucket, "compact", COMPACTION_SLOT_SECONDS, COMPACTION_REST_SECONDS)


def for_reconciliation(client: Callable[[], S3Client], bucket: str) -> ChangeMarks:
    return ChangeMarks(client, bucket, "reconcile", RECONCILIATION_SLOT_SECONDS, RECONCILIATION_REST_SECONDS)
