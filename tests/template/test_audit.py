"""The audit log of the template."""

from __future__ import annotations

import importlib
import re

import pytest

from chalicelib.telemetry import audit
from tests.template.resolved import Resolved, Template


@pytest.fixture(scope="module")
def audited(template: Template) -> Resolved:
    return Resolved(template, {"AuditLogDays": "365"})


def test_there_is_none_unless_a_stage_asks_for_it(stack: Resolved) -> None:
    assert [name for name in stack.resources if "Audit" in name] == []
    assert stack.properties("APIHandler")["Environment"]["Variables"]["AUDIT"] == "off"


def test_it_has_its_own_retention_and_outlives_the_stack(audited: Resolved) -> None:
    assert int(audited.properties("AuditLog")["RetentionInDays"]) == 365
    assert audited.resources["AuditLog"]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert int(audited.properties("ApiLog")["RetentionInDays"]) == 30
    assert audited.outputs["AuditLogName"]["Value"] == {"Ref": "AuditLog"}
    assert audited.properties("APIHandler")["Environment"]["Variables"]["AUDIT"] == "on"


def test_the_apis_lines_reach_the_function_that_copies_them(audited: Resolved) -> None:
    lines, permission = audited.properties("AuditLines"), audited.properties("AuditCopyPermission")

    assert lines["LogGroupName"] == {"Ref": "ApiLog"}
    assert re.findall(r'"(.+?)"', lines["FilterPattern"]) == [audit.MESSAGE]
    assert lines["DestinationArn"] == {"Fn::GetAtt": ["AuditCopy", "Arn"]}
    assert audited.resources["AuditLines"]["DependsOn"] == "AuditCopyPermission"
    assert (permission["Principal"], permission["SourceArn"]) == (
        "logs.amazonaws.com",
        {"Fn::GetAtt": ["ApiLog", "Arn"]},
    )


def test_the_function_has_no_layer_and_no_network_and_only_writes_logs(audited: Resolved) -> None:
    function = audited.properties("AuditCopy")
    module, name = function["Handler"].rsplit(".", 1)

    assert callable(getattr(importlib.import_module(module), name))
    assert {"Layers", "VpcConfig"} & function.keys() == set()
    assert function["Environment"] == {"Variables": {"AUDIT_LOG": {"Ref": "AuditLog"}}}
    assert [statement for role, statement in audited.statements() if role == "AuditCopyRole"] == [
        {
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": [{"Fn::GetAtt": [name, "Arn"]} for name in ("AuditLog", "AuditCopyLog")],
        }
    ]
