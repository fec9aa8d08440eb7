"""Deployments that fail in AWS, with faults injected into moto."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from tests.deploy.conftest import STACK, Operator

if TYPE_CHECKING:  # moto takes seconds to import, so only functions import it
    from moto.cloudformation.models import Change, Event, Stack

WORDS = {
    "ROLLBACK_COMPLETE": "run `make destroy STAGE=dev`, then `make deploy STAGE=dev`",
    "ROLLBACK_FAILED": "run `make destroy STAGE=dev`, then `make deploy STAGE=dev`",
    "DELETE_FAILED": "run `make destroy STAGE=dev` to try again",
    "UPDATE_ROLLBACK_FAILED": "aws cloudformation continue-update-rollback --stack-name face-search-dev --region eu",
}


def event(stack: Stack, name: str, status: str, reason: str | None = None) -> Event:
    from moto.cloudformation.models import Event

    return Event(stack.stack_id, STACK, name, f"id-{name}", "AWS::Some::Thing", status, reason, None)


def fail(operator: Operator, status: str, *events: tuple[str, str, str]) -> Callable[..., None]:
    """Return a replacement for moto's execution of a change set."""

    def execute(change_set_name: str, stack_name: str | None = None) -> None:
        stack = operator.stack
        beginning = "CREATE_IN_PROGRESS" if status == "ROLLBACK_COMPLETE" else "UPDATE_IN_PROGRESS"
        stack._add_stack_event(beginning, resource_status_reason="User Initiated")
        for name, resource_status, reason in events:
            stack.events.append(event(stack, name, resource_status, reason))
        stack._add_stack_event(status)
        stack.status = status

    return execute


def test_the_first_failure_is_shown_first_with_a_remedy(operator: Operator) -> None:
    operator.backend.execute_change_set = fail(
        operator,
        "ROLLBACK_COMPLETE",
        ("Function", "CREATE_FAILED", "Specified ReservedConcurrentExecutions decreases the account's "
         "UnreservedConcurrentExecution below its minimum value of [10]"),
        ("Database", "CREATE_FAILED", "Resource creation cancelled"),
        ("Role", "CREATE_FAILED", "User: u is not authorized to perform: iam:CreateRole"),
        (STACK, "CREATE_FAILED", "The following resource(s) failed to create: [Function, Database, Role]."),
    )  # fmt: skip

    done = operator.deploy()

    told = done.stdout[done.stdout.index("Failures, earliest first") :]
    assert told.index("Function  AWS::Some::Thing: Specified") < told.index("-> the account's limit of concurrent")
    assert told.index("-> the account's limit") < told.index("Role  AWS::Some::Thing: User: u is not authorized")
    assert "docs/deploying.md lists the rights" in told
    assert "Database" not in told
    assert "The following resource" not in told
    assert WORDS["ROLLBACK_COMPLETE"] in done.stderr
    assert done.returncode == 1
    assert operator.events == []


def test_a_failed_update_shows_only_its_own_failures(operator: Operator) -> None:
    operator.deployed()
    operator.package(function="another")
    execute = operator.backend.execute_change_set
    for reason in ("an old fault", "a new fault"):
        operator.backend.execute_change_set = fail(
            operator, "UPDATE_ROLLBACK_COMPLETE", ("Function", "UPDATE_FAILED", reason)
        )
        done = operator.deploy()
    assert "Function  AWS::Some::Thing: a new fault" in done.stdout
    assert "an old fault" not in done.stdout
    assert "the deployment failed and was rolled back: the stage is unchanged" in done.stderr

    operator.backend.execute_change_set = execute
    assert "schema is at version 3" in operator.deployed()


@pytest.mark.parametrize("status", WORDS)
def test_a_stack_that_cannot_be_changed_shows_a_remedy(operator: Operator, status: str) -> None:
    operator.deployed()
    operator.stack.status = status
    operator.stack.events.append(event(operator.stack, "Api", "DELETE_FAILED", "it is in use"))

    done = operator.deploy()

    assert WORDS[status] in done.stderr
    assert "Api  AWS::Some::Thing: it is in use" in done.stdout
    assert done.returncode == 1


def end_when_seen(operator: Operator, *steps: tuple[str, str]) -> None:
    """End the running operation of the stack when its state is queried for the third time."""
    describe, looks = operator.backend.describe_stacks, count(1)

    def describe_stacks(name_or_stack_id: str) -> list[Stack]:
        if next(looks) == 3:
            end()
        found: list[Stack] = describe(name_or_stack_id)
        return found

    def end() -> None:
        for name, status in steps:
            if name == STACK:
                operator.stack._add_stack_event(status)
                operator.stack.status = status
            else:
                stack = operator.stack
                stack.events.append(event(stack, name, status))

    operator.backend.describe_stacks = describe_stacks


def test_a_deployment_waits_for_a_running_one(operator: Operator) -> None:
    operator.deployed()
    operator.stack._add_stack_event("UPDATE_IN_PROGRESS")
    operator.stack.status = "UPDATE_IN_PROGRESS"
    end_when_seen(operator, ("Thing", "UPDATE_COMPLETE"), (STACK, "UPDATE_COMPLETE"))

    printed = operator.deployed()

    assert "The stack is UPDATE_IN_PROGRESS: waiting until it finishes." in printed
    assert "UPDATE_COMPLETE       Thing" in printed
    assert "The stack is up to date." in printed


def test_the_migration_does_not_wait_for_the_cleanup(operator: Operator) -> None:
    operator.deployed()
    operator.package(function="another")

    def execute(change_set_name: str, stack_name: str | None = None) -> None:
        for status in ("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"):
            operator.stack._add_stack_event(status)
            operator.stack.status = status

    operator.backend.execute_change_set = execute

    assert "schema is at version 3" in operator.deployed()
    assert len(operator.events) == 2


@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_deployment_shows_how_to_continue(operator: Operator) -> None:
    operator.deployed()
    operator.stack.status = "UPDATE_IN_PROGRESS"
    command = subprocess.Popen(
        [sys.executable, "-m", "infra.deploy", "dev"],
        cwd=operator.root,
        env=operator.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert command.stdout is not None
    while "waiting until it finishes" not in command.stdout.readline():
        assert command.poll() is None
    time.sleep(1)
    command.send_signal(signal.SIGINT)

    _, told = command.communicate(timeout=300)

    assert command.returncode == 1
    assert "continues at AWS: `make deploy` with the same STAGE= waits for it" in told
    assert "Traceback" not in told


def test_the_next_deployment_repeats_a_failed_migration(operator: Operator) -> None:
    operator.fails = True
    operator.answer = {"errorType": "ServiceError", "errorMessage": "1003 INTERNAL_ERROR", "stackTrace": ["a line"]}

    done = operator.deploy()

    assert done.returncode == 1
    assert "the database was not migrated: ServiceError: 1003 INTERNAL_ERROR." in done.stderr
    assert "aws logs tail /aws/lambda/" in done.stderr
    assert "until the migration succeeds: run `make deploy STAGE=dev` again" in done.stderr
    operator.fails, operator.answer = False, "the schema is at version 3"
    assert "Database: the schema is at version 3." in operator.deployed()


def replacing(name: str, replacement: str) -> Callable[[Any], list[Change]]:
    from moto.cloudformation.models import Change

    def diff(_: Any) -> list[Change]:
        change = Change("Modify", name, "AWS::DynamoDB::Table")
        change.replacement = replacement  # type: ignore[attr-defined]
        change.details = [{"target": {"attribute": "Properties", "name": "KeySchema"}}]  # type: ignore[attr-defined]
        return [change]

    return diff


@pytest.mark.parametrize(("replacement", "words"), [("True", "REPLACED"), ("Conditional", "perhaps REPLACED")])
def test_data_are_replaced_only_with_confirmation(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, replacement: str, words: str
) -> None:
    operator.deployed()
    operator.package(function="another")
    monkeypatch.setattr("moto.cloudformation.models.ChangeSet.diff", replacing("TokensTable", replacement))

    done = operator.deploy()

    line = f"~ TokensTable  AWS::DynamoDB::Table  {words}  KeySchema"
    assert done.returncode == 1
    assert line in done.stderr
    assert "make deploy STAGE=dev CONFIRM=replace" in done.stderr
    assert operator.stack.status == "CREATE_COMPLETE"
    assert len(operator.client("cloudformation").list_change_sets(StackName=STACK)["Summaries"]) == 1

    printed = operator.deployed("--confirm", "replace")
    assert line in printed
    assert operator.stack.status == "UPDATE_COMPLETE"


def test_a_change_without_replacement_needs_no_confirmation(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator.deployed()
    operator.package(function="another")
    monkeypatch.setattr("moto.cloudformation.models.ChangeSet.diff", replacing("TokensTable", "False"))

    operator.deployed()


def test_data_are_removed_only_with_confirmation(operator: Operator) -> None:
    operator.deployed()
    operator.change_template(CropsBucket={"Type": "AWS::SNS::Topic"}, TokensTable=None)

    done = operator.deploy()

    assert "- TokensTable  AWS::DynamoDB::Table" in done.stderr
    assert operator.client("dynamodb").list_tables()["TableNames"] != []
