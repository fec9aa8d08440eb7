"""Reads the state of a CloudFormation stack, and follows the operations on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from infra.deploy.account import error_code

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackEventTypeDef, StackTypeDef

POLL_SECONDS = 5
# Polls without a new event before the resources in progress are printed.
QUIET_POLLS = 12

GONE = "DELETE_COMPLETE"
# The update is complete; only the deletion of unused resources remains.
REACHED = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
# The stack has only a change set that was never executed.
EMPTY = "REVIEW_IN_PROGRESS"

_BEGINNINGS = frozenset({"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"})
# Reasons of resources that were cancelled because another one failed.
_GIVEN_UP = ("cancelled", "The following resource(s) failed")


def stack_name(stage: str) -> str:
    return f"face-search-{stage}"


class Stack:
    """One stack, identified by its name or id. Progress goes to `tell`, one line at a time."""

    def __init__(
        self,
        client: CloudFormationClient,
        name: str,
        *,
        tell: Callable[[str], None] = print,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self.client = client
        self._tell = tell
        self._sleep = sleep

    def describe(self) -> StackTypeDef | None:
        """Return CloudFormation's description of the stack, or None when there is no such stack."""
        try:
            return self.client.describe_stacks(StackName=self.name)["Stacks"][0]
        except ClientError as error:
            if error_code(error) == "ValidationError" and "does not exist" in str(error):
                return None
            raise

    def status(self) -> str:
        """Return the stack's status, or GONE."""
        described = self.describe()
        return described["StackStatus"] if described else GONE

    def outputs(self) -> dict[str, str]:
        described = self.describe()
        outputs = described.get("Outputs", []) if described else []
        return {output["OutputKey"]: output["OutputValue"] for output in outputs}

    def parameters(self) -> dict[str, str]:
        described = self.describe()
        parameters = described.get("Parameters", []) if described else []
        return {each["ParameterKey"]: each["ParameterValue"] for each in parameters if "ParameterValue" in each}

    def resources(self, resource_type: str, logical_id: str | None = None) -> list[str]:
        """Return the physical ids of the stack's remaining resources of a type, or of the one with a logical id."""
        pages = self.client.get_paginator("list_stack_resources").paginate(StackName=self.name)
        return [
            resource["PhysicalResourceId"]
            for page in pages
            for resource in page["StackResourceSummaries"]
            if resource["ResourceType"] == resource_type
            and logical_id in (None, resource["LogicalResourceId"])
            and resource["ResourceStatus"] != "DELETE_COMPLETE"
            and resource.get("PhysicalResourceId")
        ]

    def newest_event(self) -> str | None:
        return next((event["EventId"] for event in self._events()), None)

    def idle(self) -> str:
        """Wait until no operation is in progress on the stack; return its final status."""
        while True:
            # The event is read before the status: an operation in progress then has at least one newer event to come.
            newest, status = self.newest_event(), self.status()
            if not status.endswith("_IN_PROGRESS") or status == EMPTY:
                return status
            self._tell(f"The stack is {status}: waiting until it finishes.")
            self.follow(newest)

    def follow(self, begun_after: str | None) -> str:
        """Report the stack's events until the operation ends; return the final status.

        Parameters
        ----------
        begun_after
            The newest event before the operation. Until a newer event appears, the operation has not started.
        """
        last, at_work, quiet = begun_after, set[str](), 0
        while True:
            status = self.status()
            news = self._events_after(last)
            for event in news:
                self._report(event, at_work)
            last = news[-1]["EventId"] if news else last
            if status == GONE or (last != begun_after and (status == REACHED or not status.endswith("_IN_PROGRESS"))):
                return status
            quiet = 0 if news else quiet + 1
            if quiet % QUIET_POLLS == QUIET_POLLS - 1:
                self._tell(f"  ... in progress: {', '.join(sorted(at_work)) or status}")
            self._sleep(POLL_SECONDS)

    def failures(self) -> list[StackEventTypeDef]:
        """Return the failures of the newest operation, earliest first, one for each resource."""
        failed: dict[str, StackEventTypeDef] = {}
        for event in self._events():
            reason, status = event.get("ResourceStatusReason", ""), event.get("ResourceStatus", "")
            itself = event.get("PhysicalResourceId") == event["StackId"]
            if status.endswith("_FAILED") and not any(text in reason for text in _GIVEN_UP):
                name = event.get("LogicalResourceId", "")
                failed.pop(name, None)
                failed[name] = event
            if itself and status in _BEGINNINGS:
                break
        return list(reversed(failed.values()))

    def _events(self) -> Iterator[StackEventTypeDef]:
        """Yield all events, newest first."""
        try:
            for page in self.client.get_paginator("describe_stack_events").paginate(StackName=self.name):
                yield from page["StackEvents"]
        except ClientError as error:
            if error_code(error) != "ValidationError":  # the stack does not exist
                raise

    def _events_after(self, event_id: str | None) -> list[StackEventTypeDef]:
        news: list[StackEventTypeDef] = []
        for event in self._events():
            if event["EventId"] == event_id:
                break
            news.append(event)
        return news[::-1]

    def _report(self, event: StackEventTypeDef, at_work: set[str]) -> None:
        name, status = event.get("LogicalResourceId", ""), event.get("ResourceStatus", "")
        if status.endswith("_IN_PROGRESS"):
            at_work.add(name)
            return
        at_work.discard(name)
        reason = f": {event['ResourceStatusReason']}" if "FAILED" in status and "ResourceStatusReason" in event else ""
        self._tell(f"  {event['Timestamp']:%H:%M:%S}  {status:<20}  {name}  {event.get('ResourceType', '')}{reason}")
