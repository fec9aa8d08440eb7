"""What an operator does next when a stack is not as it should be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from infra.deploy.account import RIGHTS
from infra.deploy.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackEventTypeDef

MAX_FAILURES = 5

# What a reason contains, and what to do about it.
_ADVICE = (
    ("not authorized", RIGHTS),
    ("AccessDenied", RIGHTS),
    (
        "UnreservedConcurrentExecution",
        "the account's limit of concurrent Lambda executions is too low to reserve some, as it is in a new account: "
        'set ReserveConcurrency = "false" in the stage\'s file, or have the limit raised under Service Quotas',
    ),
    (
        "CloudWatch Logs role ARN must be set",
        'API Gateway may not write logs in this region yet: set ApiLogsAccountRole = "create" in the stage\'s file',
    ),
    ("deletion protection", 'set DatabaseDeletionProtection = "false" in the stage\'s file, and deploy that first'),
    ("already exists", "something of that name was left behind or made by hand: delete it, or deploy another stage"),
    ("limit", "an account's limit is reached: Service Quotas shows it, and raises it on request"),
)


def obstacle(status: str, stack: Stack, stage: str) -> str | None:
    """Return why a stack of this status cannot be deployed to, and what to do; None when it can.

    The stack must not be in the middle of something.
    """
    name = stack.name
    again = f"`make deploy STAGE={stage}`"
    if status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"):
        return (
            f"the first deployment of {name} failed ({status}), and what is left of it can only be deleted: do what "
            f"its failures ask for, run `make destroy STAGE={stage}`, then {again}"
        )
    if status == "DELETE_FAILED":
        return (
            f"{name} was being deleted, and something could not be ({status}): `make destroy STAGE={stage}` tries "
            f"again, and after that {again} begins anew"
        )
    if status in ("UPDATE_ROLLBACK_FAILED", "UPDATE_FAILED"):
        return (
            f"a deployment of {name} failed, and could not be undone either ({status}): do what its failures ask for, "
            f"run `aws cloudformation continue-update-rollback --stack-name {name} --region "
            f"{stack.client.meta.region_name}`, then {again}"
        )
    return None


def failed(status: str, stack: Stack, stage: str) -> str:
    """Return what to do after a deployment that ended with this status."""
    again = f"`make deploy STAGE={stage}`"
    if status == "UPDATE_ROLLBACK_COMPLETE":
        return f"the deployment failed and was undone: the stage is as it was before. Mend the cause, then {again}"
    return obstacle(status, stack, stage) or f"the deployment ended as {status}: look at the stack {stack.name}"


def told(failures: Sequence[StackEventTypeDef]) -> list[str]:
    """Return the failures as lines, the first one, which most likely caused the others, first; each with advice."""
    lines = []
    for event in failures[:MAX_FAILURES]:
        reason = event.get("ResourceStatusReason", "no reason is given")
        lines.append(f"  {event.get('LogicalResourceId', '')}  {event.get('ResourceType', '')}: {reason}")
        if advice := next((advice for text, advice in _ADVICE if text.lower() in reason.lower()), None):
            lines.append(f"    -> {advice}")
    if len(failures) > MAX_FAILURES:
        lines.append(f"  and {len(failures) - MAX_FAILURES} more after these")
    return lines
