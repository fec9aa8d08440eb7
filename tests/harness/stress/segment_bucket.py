"""Serves S3 for segments in the process that started a run, with slow reads and failing writes in the others."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from unittest import mock

from chalicelib.errors import StoreUnavailableError
from chalicelib.stores.aws import sdk
from chalicelib.stores.aws.segment_objects import SegmentObjects, StoredBytes
from infra.local import moto_server
from tests.harness.stress.addresses import bucket, lead_to
from tests.harness.stress.plan import Plan
from tests.harness.stress.report import FAILED_BYTES, GONE, Report

# The share of reads that wait, so that a compaction deletes the object meanwhile, and of requests that fail.
_SLOW_READS = 0.1
_LONGEST_WAIT_SECONDS = 0.2
_FAILING = 0.03


@contextmanager
def segment_bucket() -> Iterator[str]:
    """Serve S3 with a run's empty bucket; yield the address."""
    server = moto_server.start(0)
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    try:
        with mock.patch.dict(os.environ):
            lead_to(endpoint)
            sdk.client("s3").create_bucket(
                Bucket=bucket(endpoint), CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
            )
        yield endpoint
    finally:
        server.stop()


def sound_objects(plan: Plan) -> SegmentObjects | None:
    """Return the run's objects; None when its segments are in the database."""
    if not plan.segments:
        return None
    lead_to(plan.segments)
    client = sdk.client("s3")
    return SegmentObjects(lambda: client, bucket(plan.segments))


def frail_objects(plan: Plan, chance: random.Random, report: Report) -> SegmentObjects | None:
    """Return the same, with slow reads, and with writes that fail before or after they are done."""
    if not plan.segments:
        return None
    lead_to(plan.segments)
    return _FrailObjects(bucket(plan.segments), chance, report)


class _FrailObjects(SegmentObjects):
    def __init__(self, name: str, chance: random.Random, report: Report) -> None:
        client = sdk.client("s3")
        super().__init__(lambda: client, name)
        self._chance = chance
        self._report = report

    def put(self, name: str, data: bytes) -> None:
        self._failing(lambda: super(_FrailObjects, self).put(name, data))

    def read(self, name: str, size: int) -> memoryview | None:
        if self._chance.random() < _SLOW_READS:
            time.sleep(self._chance.uniform(0, _LONGEST_WAIT_SECONDS))
        data = super().read(name, size)
        if data is None:
            self._report.count(GONE)
        return data

    def listed(self) -> Iterator[StoredBytes]:
        self._failing(lambda: None)
        return super().listed()

    def delete(self, names: Sequence[str]) -> None:
        self._failing(lambda: super(_FrailObjects, self).delete(names))

    def _failing(self, work: Callable[[], None]) -> None:
        fails, done = self._chance.random() < _FAILING, self._chance.random() < 0.5
        if done or not fails:
            work()
        if fails:
            self._report.count(FAILED_BYTES)
            raise StoreUnavailableError()
