"""Events of additions, removals and identifications in the template: a bus, and the way to it."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.settings import Settings
from chalicelib.stores.aws.event_bus import SOURCE
from tests.template.resolved import Resolved, Template

BUS = {"Fn::GetAtt": ["EventBus", "Arn"]}


@pytest.fixture(scope="module")
def announced(template: Template) -> Resolved:
    return Resolved(template, {"Events": "true", "Incoming": "true"})


def test_there_are_none_unless_a_stage_asks_for_them(stack: Resolved) -> None:
    assert [name for name in stack.resources if name.startswith("Event")] == []
    assert "EVENT_BUS" not in stack.properties("APIHandler")["Environment"]["Variables"]


def test_the_api_and_the_intake_send_them_to_the_stacks_own_bus(announced: Resolved) -> None:
    sending = {
        name: function["Environment"]["Variables"]["EVENT_BUS"]
        for name, function in announced.of_type("AWS::Lambda::Function").items()
        if "EVENT_BUS" in function["Environment"]["Variables"]
    }

    assert sending == {"APIHandler": {"Ref": "EventBus"}, "Intake": {"Ref": "EventBus"}}
    name = announced.properties("EventBus")["Name"]
    assert name == announced.parameters["AWS::StackName"]
    assert Settings.from_environment({"EVENT_BUS": name}).event_bus == name


def test_a_role_may_send_events_of_the_service_and_nothing_else(announced: Resolved) -> None:
    granted: dict[str, Any] = {
        role: statement for role, statement in announced.statements() if "events:" in str(statement["Action"])
    }

    allowed = {
        "Effect": "Allow",
        "Action": "events:PutEvents",
        "Resource": BUS,
        "Condition": {"StringEquals": {"events:source": SOURCE}},
    }
    assert granted == {"ApiRole": allowed, "IntakeRole": allowed}


def test_the_endpoint_leads_to_that_bus_only(announced: Resolved) -> None:
    endpoint, group = announced.properties("EventsEndpoint"), announced.properties("EventsEndpointGroup")
    [statement] = endpoint["PolicyDocument"]["Statement"]

    assert endpoint["ServiceName"] == "com.amazonaws.eu-central-1.events"
    assert (endpoint["VpcEndpointType"], endpoint["PrivateDnsEnabled"]) == ("Interface", True)
    assert (statement["Action"], statement["Resource"]) == ("events:PutEvents", BUS)
    assert statement["Condition"] == {"StringEquals": {"aws:PrincipalAccount": {"Ref": "AWS::AccountId"}}}
    [rule] = group["SecurityGroupIngress"]
    assert (rule["FromPort"], rule["ToPort"], rule["SourceSecurityGroupId"]) == (443, 443, {"Ref": "FunctionsGroup"})
    assert [rule["CidrIp"] for rule in group["SecurityGroupEgress"]] == ["127.0.0.1/32"]
