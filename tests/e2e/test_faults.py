"""The short form of `python -m tests.harness.faults.run`: some faults of the stores, and some kills, on one database.

Each test is one, for what it starts is dear.
"""

from __future__ import annotations

import pytest

from tests.conftest import absent
from tests.harness.faults import matrix
from tests.harness.faults.frail_service import frail_service
from tests.harness.faults.nursery import Nursery
from tests.harness.faults.requests_under_fault import NEED, Outcome
from tests.harness.faults.run import ward
from tests.services import mysql_program

# The steps between two stores; `run` kills at every one.
KILLS = {
    "addface": {"after PUT copy"},
    "removeface": {"before COMMIT", "after COMMIT"},
}

UNREACHABLE = {"mysql": "MySQL unreachable", "dynamodb": "DynamoDB unreachable", "s3": "S3 unreachable"}
# Those whose requests are answered 503, and those that go on as ever.
OTHERS = {
    "answer to addface's COMMIT lost": {"addface"},
    "MySQL read-only": {"addface", "rename", "removeface", "delete_set"},
    "S3 fails at the second crop": {"detect"},
}


def test_the_service_tells_of_faults_and_outlives_them() -> None:
    if mysql_program() is None:
        absent("neither mariadbd nor mysqld to start a server of one's own")
    with frail_service() as service:
        for store, name in UNREACHABLE.items():
            assert _refused(name, matrix.run(service, matrix.CASES[name])) == NEED[store]
        for name, refused in OTHERS.items():
            assert _refused(name, matrix.run(service, matrix.CASES[name])) == refused


def _refused(name: str, outcome: Outcome) -> set[str]:
    assert not outcome.failed, (name, outcome)
    assert outcome.healed_after <= 1
    return {request for request, answer in outcome.answers.items() if answer.status == 503}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_whoever_is_killed_leaves_nothing_that_cannot_be_mended(database_url: str) -> None:
    with Nursery() as nursery, ward(nursery, database_url) as place:
        crashes = [place.crash(operation, steps) for operation, steps in KILLS.items()]

    assert [crash for crash in crashes if crash.failed] == []
    assert {crash.operation: set(crash.killed_at) for crash in crashes} == KILLS
