"""Asks CloudFormation what a deployment would change, and checks whether the changes would lose data."""

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
# Types that store data. Replacing or removing such a resource loses its data.
STATEFUL = frozenset({"AWS::DynamoDB::Table", "AWS::RDS::DBCluster", "AWS::RDS::DBInstance", "AWS::S3::Bucket"})

# The reasons of a change set that failed because there is nothing to change.
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
    """Create a change set and return it, or return None when nothing would change.

    Raises
    ------
    DeployError
        When the template and parameters do not match each other or the deployed stack.
    """
    creates = stack.status() in (GONE, EMPTY)
    made = stack.client.create_change_set(
        StackName=stack.name,
        ChangeSetName=name,
        ChangeSetType="CREATE" if creates else "UPDATE",
        TemplateURL=template_url,
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        # The template creates IAM roles. This capability also allows roles with names.
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
        raise DeployError(f"CloudFormation cannot determine the changes: {reason}")
    pages = stack.client.get_paginator("describe_change_set").paginate(ChangeSetName=made["Id"])
    changes = [change["ResourceChange"] for page in pages for change in page["Changes"] if "ResourceChange" in change]
    return ChangeSet(made["Id"], made["StackId"], creates, changes)


def loses_data(change: ResourceChangeTypeDef) -> bool:
    """Return whether a change may remove a resource that stores data, or replace it with an empty one."""
    if change.get("ResourceType") not in STATEFUL:
        return False
    return change.get("Action") == "Remove" or change.get("Replacement") in ("True", "Conditional")


def described(change: ResourceChangeTypeDef) -> str:
    """Describe a change in one line."""
    action = change.get("Action", "Modify")
    line = f"{_MARKS.get(action, '?')} {change.get('LogicalResourceId', '')}  {change.get('ResourceType', '')}"
    if action != "Modify":
        return line
    targets = [detail.get("Target", {}) for detail in change.get("Details", [])]
    names = sorted({target.get("Name") or target.get("Attribute") or "" for target in targets} - {""})
    replaced = {"True": "REPLACED", "Conditional": "perhaps REPLACED"}.get(change.get("Replacement", ""), "")
    return "  ".join(part for part in (line, replaced, ", ".join(names)) if part)
