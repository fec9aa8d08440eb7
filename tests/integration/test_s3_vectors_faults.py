"""Faults that the emulation of S3 Vectors can inject, as seen by a client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from infra.s3_vectors.emulation import emulation
from infra.s3_vectors.faults import ALL_FAULTS, Failure, Fault, Moment, NthFails, ShareFails
from tests.integration.vector_client import VectorIndex

if TYPE_CHECKING:
    from mypy_boto3_s3vectors import S3VectorsClient

WRITTEN = {Moment.BEFORE: [], Moment.HALFWAY: ["0", "1"], Moment.AFTER: ["0", "1", "2", "3"]}


@pytest.mark.parametrize("fault", ALL_FAULTS, ids=lambda fault: f"{fault.failure.name}-{fault.moment.name}")
def test_the_nth_put_fails_as_specified(s3_vectors: S3VectorsClient, fault: Fault) -> None:
    index = VectorIndex(s3_vectors, 1)
    with emulation.failing(NthFails("PutVectors", {2: fault})):
        index.put(["first"], np.ones((1, 1), np.float32))
        with pytest.raises((ClientError, ConnectionClosedError)) as caught:
            index.put(range(4), np.ones((4, 1), np.float32))
        assert index.keys() == ["first", *WRITTEN[fault.moment]]
        index.put(["third"], np.ones((1, 1), np.float32))

    if isinstance(caught.value, ClientError):
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == fault.failure.value
    else:
        assert fault.failure is Failure.CUT


def test_half_of_a_request_for_one_vector_changes_nothing(s3_vectors: S3VectorsClient) -> None:
    index = VectorIndex(s3_vectors, 1)
    index.put(["a"], np.ones((1, 1), np.float32))
    with (
        emulation.failing(NthFails("DeleteVectors", {1: Fault(Failure.INTERNAL, Moment.HALFWAY)})),
        pytest.raises(ClientError),
    ):
        index.client.delete_vectors(**index.at, keys=["a"])

    assert index.keys() == ["a"]


def test_the_seed_decides_which_requests_fail() -> None:
    def drawn(seed: int) -> list[Fault | None]:
        faults = ShareFails(0.25, seed, operations={"PutVectors"})
        return [faults.next("PutVectors") for _ in range(400)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert 60 < sum(fault is not None for fault in drawn(1)) < 140
    assert set(drawn(1)) == {None, *ALL_FAULTS}
    assert ShareFails(1.0, 1, operations={"PutVectors"}).next("GetVectors") is None


def test_no_request_fails_outside_the_block(s3_vectors: S3VectorsClient) -> None:
    index = VectorIndex(s3_vectors, 1)
    with emulation.failing(ShareFails(1.0, 1, [Fault(Failure.UNAVAILABLE)])), pytest.raises(ClientError):
        index.keys()

    assert index.keys() == []
