"""Emulates S3 Vectors in the process that started a run, injects failures, and checks the requests."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from chalicelib.stores.aws import sdk
from chalicelib.stores.database.connect import connect
from infra.local import moto_server, resources
from infra.s3_vectors.emulation import emulation
from infra.s3_vectors.faults import Failure, Fault, ShareFails
from tests.embeddings import MODEL
from tests.harness.stress.addresses import bucket, lead_to
from tests.harness.stress.galleries import vector_parts
from tests.harness.stress.numbered_faces import DIMENSION
from tests.harness.stress.report import FAILED_REQUESTS, REFUSED_REQUEST, REQUESTS, Report

# The share of all requests that fails, over all kinds of failure.
FAILING_SHARE = 0.1
# At times, all writes fail for a while, and the index falls behind.
OUTAGE_SECONDS = 4
SECONDS_BETWEEN_OUTAGES = 10


class EmulatedIndex:
    """A running emulation; use `emulated_index`."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint

    def fail(self, seed: int) -> None:
        """Make a share of the requests fail from now on."""
        emulation.faults = _Failing(seed)

    def recover(self) -> None:
        """Make all requests succeed again."""
        emulation.faults = None


class _Failing(ShareFails):
    def __init__(self, seed: int) -> None:
        super().__init__(FAILING_SHARE, seed)
        self._began = time.monotonic()

    def next(self, operation: str) -> Fault | None:
        since = (time.monotonic() - self._began) % (SECONDS_BETWEEN_OUTAGES + OUTAGE_SECONDS)
        if since > SECONDS_BETWEEN_OUTAGES and operation in {"PutVectors", "DeleteVectors"}:
            return Fault(Failure.UNAVAILABLE)
        return super().next(operation)


@contextmanager
def emulated_index(url: str, report: Report) -> Iterator[EmulatedIndex]:
    """Serve S3 Vectors with an empty index for the face set at `url`; report the requests at the end."""
    emulation.take_violations()
    before = emulation.replies()
    server = moto_server.start(0)
    host, port = server.get_host_and_port()
    index = EmulatedIndex(f"http://{host}:{port}")
    try:
        with mock.patch.dict(os.environ):
            lead_to(index.endpoint)
            resources.create_vector_bucket(sdk.client("s3vectors"), bucket(index.endpoint))
            database = connect(url)
            vector_parts(database, index.endpoint).rebuild.run(MODEL, DIMENSION)
            database.close()
        yield index
        for reply, count in emulation.replies().items():
            status = int(reply.split()[1])
            report.count(REQUESTS, count - before.get(reply, 0))
            if status in {0, 429} or status >= 500:
                report.count(FAILED_REQUESTS, count - before.get(reply, 0))
        for violation in emulation.take_violations():
            report.fail(REFUSED_REQUEST, "request", violation)
    finally:
        index.recover()
        server.stop()
