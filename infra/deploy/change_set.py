"""What a deployment would change, and whether it would lose data."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.deploy.errors import DeployError
from infra.deploy.stack import EMPTY, GONE, Stack

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import ResourceChangeTypeDef

POLL_SECONDS = 2
# What keeps data: replaced or removed, it is another, empty one.
STATEFUL = frozenset({"AWS::DynamoDB::Table", "AWS::RDS::DBCluster", "AWS::RDS::DBInstance", "AWS::S3::Bucket"})

# What a change set says for a reason when it failed because there is nothing to do.
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
_MARKS = {"Add": "+", "Remove": "-", "Modify": "~", "Import": "+", "Dynamic": "?"}


@dataclass(frozen=True, slots=True)
class ChangeSet:
    id: str
    stack_id: str
    creates: bool
    changes: Sequence[ResourceChangeTypeDef]


def propose(
    stack: Stack, *, template_url: str, parameters: dict[str, str], tags: dict[str, str], name: str
) -> ChangeSet | None:
    """Have CloudFormation work out what would change; None when nothing would.

    Raises
    ------
    DeployError
        When the template and the parameters do not fit each other or what is there.
    """
    creates = stack.status() in (GONE, EMPTY)
    made = stack.client.create_change_set(
        StackName=stack.name,
        ChangeSetName=name,
        ChangeSetType="CREATE" if creates else "UPDATE",
        TemplateURL=template_url,
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        # Roles are made, named ones among them.
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    while (described := stack.client.describe_change_set(ChangeSetName=made["Id"]))["Status"] not in (
        "CREATE_COMPLETE",
        "FAILED",
    ):
        time.sleep(POLL_SECONDS)
    if described["Status"] == "FAILED":
        reason = described.get("StatusReason", "CloudFormation gives no reason")
        stack.client.delete_change_set(ChangeSetName=made["Id"])
        if any(text in reason for text in _NO_CHANGES):
            return None
        raise DeployError(f"CloudFormation cannot work out what to change: {reason}")
    pages = stack.client.get_paginator("describe_change_set").paginate(ChangeSetName=made["Id"])
    changes = [change["ResourceChange"] for page in pages for change in page["Changes"] if "ResourceChange" in change]
    return ChangeSet(made["Id"], made["StackId"], creates, changes)


def loses_data(change: ResourceChangeTypeDef) -> bool:
    """Tell whether a change may put an empty resource, or none, in the place of one that keeps data."""
    if change.get("ResourceType") not in STATEFUL:
        return False
    return change.get("Action") == "Remove" or change.get("Replacement") in ("True", "Conditional")


def described(change: ResourceChangeTypeDef) -> str:
    """Return a change as a line."""
    action = change.get("Action", "Modify")
    line = f"{_MARKS.get(action, '?')} {change.get('LogicalResourceId', '')}  {change.get('ResourceType', '')}"
    if action != "Modify":
        return line
    targets = [detail.get("Target", {}) for detail in change.get("Details", [])]
    names = sorted({target.get("Name") or target.get("Attribute") or "" for target in targets} - {""})
    replaced = {"True": "REPLACED", "Conditional": "perhaps REPLACED"}.get(change.get("Replacement", ""), "")
    return "  ".join(part for part in (line, replaced, ", ".join(names)) if part)
