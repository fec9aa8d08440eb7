"""Tells the operator what to do when a stack cannot be deployed or a deployment failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from infra.deploy.account import RIGHTS
from infra.deploy.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackEventTypeDef

MAX_FAILURES = 5

# A text that a failure's reason contains, and the advice for it.
_ADVICE = (
    ("not authorized", RIGHTS),
    ("AccessDenied", RIGHTS),
    (
        "UnreservedConcurrentExecution",
        "the account's limit of concurrent Lambda executions is too low to reserve any, as in new accounts: set "
        'ReserveConcurrency = "false" in the stage\'s file, or request a higher limit in Service Quotas',
    ),
    (
        "CloudWatch Logs role ARN must be set",
        'API Gateway has no role to write logs in this region: set ApiLogsAccountRole = "create" in the stage\'s file',
    ),
    (
        "CodeDeploy",
        "CodeDeploy returned to the old version: the new one failed its test, with a reason in the log of SmokeTest, "
        'or raised the alarm ServerErrorsAlarmed. Without the parameter Shift = "canary", all requests change at once',
    ),
    ("deletion protection", 'set DatabaseDeletionProtection = "false" in the stage\'s file, and deploy that first'),
    (
        "custom-named resource requires replacing",
        "raise DatabaseGeneration in the stage's file: the database and the proxy then get new names",
    ),
    ("already exists", "a resource of that name remains or was made by hand: delete it, or deploy another stage"),
    ("limit", "the account has reached a limit: see Service Quotas, and request a higher limit there"),
)


def obstacle(status: str, stack: Stack, stage: str) -> str | None:
    """Return why a stack with this status cannot be deployed, and what to do; None when it can.

    No operation may be in progress on the stack.
    """
    name = stack.name
    again = f"`make deploy STAGE={stage}`"
    if status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"):
        return (
            f"the first deployment of {name} failed ({status}), and its remains can only be deleted: resolve the "
            f"failures, run `make destroy STAGE={stage}`, then {again}"
        )
    if status == "DELETE_FAILED":
        return (
            f"the deletion of {name} failed ({status}): run `make destroy STAGE={stage}` to try again, then {again} "
            "to create it"
        )
    if status in ("UPDATE_ROLLBACK_FAILED", "UPDATE_FAILED"):
        return (
            f"a deployment of {name} failed, and so did its rollback ({status}): resolve the failures, run "
            f"`aws cloudformation continue-update-rollback --stack-name {name} --region "
            f"{stack.client.meta.region_name}`, then {again}"
        )
    return None


def failed(status: str, stack: Stack, stage: str) -> str:
    """Return what to do after a failed deployment that ended with this status."""
    again = f"`make deploy STAGE={stage}`"
    if status == "UPDATE_ROLLBACK_COMPLETE":
        return f"the deployment failed and was rolled back: the stage is unchanged. Fix the cause, then {again}"
    return obstacle(status, stack, stage) or f"the deployment ended as {status}: check the stack {stack.name}"


def told(failures: Sequence[StackEventTypeDef]) -> list[str]:
    """Return the failures as lines, each with advice if there is any.

    The earliest failure comes first: it most likely caused the others.
    """
    lines = []
    for event in failures[:MAX_FAILURES]:
        reason = event.get("ResourceStatusReason", "no reason given")
        lines.append(f"  {event.get('LogicalResourceId', '')}  {event.get('ResourceType', '')}: {reason}")
        if advice := next((advice for text, advice in _ADVICE if text.lower() in reason.lower()), None):
            lines.append(f"    -> {advice}")
    if len(failures) > MAX_FAILURES:
        lines.append(f"  and {len(failures) - MAX_FAILURES} later ones")
    return lines
