"""A short form of `python -m tests.harness.faults.run`: some store faults and some kills, on one database.

Each test covers many cases, because starting the processes is expensive.
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

# Steps between two stores; `run` kills at every step.
KILLS = {
    "addface": {"after PUT copy"},
    "removeface": {"before COMMIT", "after COMMIT"},
}

UNREACHABLE = {"mysql": "MySQL unreachable", "dynamodb": "DynamoDB unreachable", "s3": "S3 unreachable"}
# The requests that each fault makes answer 503; all others succeed.
OTHERS = {
    "answer to addface's COMMIT lost": {"addface"},
    "MySQL read-only": {"addface", "rename", "removeface", "delete_set"},
    "S3 fails at the second crop": {"detect"},
}


def test_the_service_reports_faults_and_survives_them() -> None:
    if mysql_program() is None:
        absent("neither mariadbd nor mysqld to start a separate server")
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
def test_killed_processes_leave_only_repairable_states(database_url: str) -> None:
    with Nursery() as nursery, ward(nursery, database_url) as place:
        crashes = [place.crash(operation, steps) for operation, steps in KILLS.items()]

    assert [crash for crash in crashes if crash.failed] == []
    assert {crash.operation: set(crash.killed_at) for crash in crashes} == KILLS
