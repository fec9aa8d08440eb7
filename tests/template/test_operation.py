"""Logs, alarms, dashboard and outputs of the template."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from chalicelib.telemetry.logs import SERVICE
from chalicelib.telemetry.metrics import Metric
from chalicelib.telemetry.middleware import NAMESPACE
from tests.template.resolved import Resolved, Template

ROOT = Path(__file__).parents[2]


def test_every_function_and_the_api_have_a_log_with_limited_retention(dev: Resolved, prod: Resolved) -> None:
    for stack, days in ((dev, 7), (prod, 90)):
        logs = stack.of_type("AWS::Logs::LogGroup")
        functions = stack.of_type("AWS::Lambda::Function").values()
        used = [function["LoggingConfig"]["LogGroup"]["Ref"] for function in functions]

        assert {*used, "AccessLog", "DatabaseLog"} == logs.keys()
        assert len(used) == len(set(used))
        assert {int(log["RetentionInDays"]) for log in logs.values()} == {days}


def test_the_databases_log_group_is_created_before_the_database(stack: Resolved) -> None:
    assert stack.properties("DatabaseLog")["LogGroupName"] == "/aws/rds/instance/face-search-dev-1/error"
    assert stack.properties("Database")["DBInstanceIdentifier"] == "face-search-dev-1"
    assert stack.resources["Database"]["DependsOn"] == "DatabaseLog"


def _alarm(stack: Resolved, metric: str) -> dict[str, Any]:
    [alarm] = [a for a in stack.of_type("AWS::CloudWatch::Alarm").values() if a.get("MetricName") == metric]
    return alarm


def test_there_are_alarms_for_5xx_latency_throttles_and_connections(stack: Resolved) -> None:
    api = [
        {"Name": "ApiName", "Value": "face-search-dev"},
        {"Name": "Stage", "Value": {"Ref": "RestAPIapiStage"}},
    ]
    errors, latency = _alarm(stack, "5XXError"), _alarm(stack, "Latency")
    throttles, connections = _alarm(stack, "Throttles"), _alarm(stack, "DatabaseConnections")

    assert (errors["Namespace"], errors["Statistic"], errors["Dimensions"]) == ("AWS/ApiGateway", "Sum", api)
    assert stack.properties("RestAPI")["Name"] == "face-search-dev"
    assert (latency["Namespace"], latency["ExtendedStatistic"], latency["Dimensions"]) == ("AWS/ApiGateway", "p99", api)
    assert throttles["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": "APIHandler"}}]
    assert (throttles["Namespace"], throttles["Threshold"]) == ("AWS/Lambda", 1)
    assert connections["Dimensions"] == [{"Name": "DBInstanceIdentifier", "Value": {"Ref": "Database"}}]
    assert (connections["Namespace"], connections["Statistic"]) == ("AWS/RDS", "Maximum")


@pytest.mark.parametrize(
    ("metric", "comparison", "threshold"),
    [
        ("FreeableMemory", "LessThanThreshold", 128 * 2**20),
        ("SwapUsage", "GreaterThanOrEqualToThreshold", 256 * 2**20),
        ("CPUCreditBalance", "LessThanThreshold", 10),
    ],
)
def test_there_are_alarms_for_the_databases_memory_and_credits(
    stack: Resolved, metric: str, comparison: str, threshold: int
) -> None:
    alarm = _alarm(stack, metric)

    assert (alarm["Namespace"], alarm["ComparisonOperator"], alarm["Threshold"]) == ("AWS/RDS", comparison, threshold)
    assert alarm["Dimensions"] == [{"Name": "DBInstanceIdentifier", "Value": {"Ref": "Database"}}]
    # Classes without credits do not have the metric.
    assert alarm["TreatMissingData"] == "notBreaching"


def _metrics(alarm: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the metrics in an alarm's expression, by id."""
    return {metric["Id"]: metric["MetricStat"]["Metric"] for metric in alarm["Metrics"] if "MetricStat" in metric}


@pytest.mark.parametrize(
    ("alarm", "function", "expression"),
    [
        ("CompactionAlarmed", "Compact", "FILL(invoked, 0) - FILL(failed, 0) - FILL(skipped, 0)"),
        ("ReconciliationAlarmed", "Reconcile", "FILL(failed, 0) + FILL(skipped, 0)"),
    ],
)
def test_there_are_alarms_for_scheduled_functions_that_fail_or_skip_their_work(
    stack: Resolved, alarm: str, function: str, expression: str
) -> None:
    properties = stack.properties(alarm)
    metrics = _metrics(properties)

    assert [m["Expression"] for m in properties["Metrics"] if "Expression" in m] == [expression]
    assert set(re.findall(r"FILL\((\w+), 0\)", expression)) == metrics.keys()
    assert metrics["failed"]["MetricName"] == "Errors"
    assert metrics["failed"]["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": function}}]
    assert (metrics["skipped"]["Namespace"], metrics["skipped"]["MetricName"]) == (NAMESPACE, Metric.SKIPPED.value[0])
    assert metrics["skipped"]["Dimensions"] == [
        {"Name": "function", "Value": {"Ref": function}},
        {"Name": "service", "Value": SERVICE},
    ]


def test_there_is_an_alarm_for_compactions_that_do_not_run(stack: Resolved) -> None:
    compaction = stack.properties("CompactionAlarmed")

    assert _metrics(compaction)["invoked"]["MetricName"] == "Invocations"
    assert (compaction["ComparisonOperator"], compaction["TreatMissingData"]) == ("LessThanThreshold", "breaching")


def test_every_alarm_notifies_the_topic_when_it_starts_and_ends(stack: Resolved) -> None:
    alarms = stack.of_type("AWS::CloudWatch::Alarm").values()

    assert len(alarms) >= 10
    for alarm in alarms:
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "AlarmTopic"}]
        assert alarm["AlarmDescription"]


def test_the_runbook_has_a_section_for_every_alarm_and_no_other(with_extras: Resolved, template: Template) -> None:
    aurora = Resolved(template, {"DatabaseKind": "aurora-serverless"})
    text = (ROOT / "docs" / "runbook.md").read_text("utf-8")
    sections = re.split(r"^### (\w+Alarmed)$", text, flags=re.MULTILINE)
    said = dict(zip(sections[1::2], sections[2::2], strict=True))

    alarms = [stack.of_type("AWS::CloudWatch::Alarm").keys() for stack in (with_extras, aurora)]
    assert said.keys() == alarms[0] | alarms[1]
    for name, section in said.items():
        assert all(f"\n- {what}: " in section for what in ("Look", "Do", "Escalate")), name
        assert "sers " in section.split("- Look")[0], name


def test_alarms_are_sent_to_the_given_address(template: Template) -> None:
    told = Resolved(template, {"AlarmEmail": "operator@example.com"})

    assert "AlarmSubscription" not in Resolved(template, {}).resources
    assert told.properties("AlarmSubscription") == {
        "TopicArn": {"Ref": "AlarmTopic"},
        "Protocol": "email",
        "Endpoint": "operator@example.com",
    }


@pytest.mark.parametrize(
    ("gallery", "incoming", "kind"),
    [
        ("memory", "false", "rds"),
        ("memory", "true", "aurora-serverless"),
        ("s3vectors", "true", "rds"),
        ("s3vectors", "false", "existing"),
        ("s3vectors", "true", "aurora-serverless"),
    ],
)
def test_the_dashboard_refers_only_to_existing_resources(
    whole: Template, gallery: str, incoming: str, kind: str
) -> None:
    stack = Resolved(whole, {"Gallery": gallery, "Incoming": incoming, "DatabaseKind": kind})
    body = stack.properties("Dashboard")["DashboardBody"]
    widgets = json.loads(body)["widgets"]

    assert len(widgets) >= (9 if kind == "existing" else 12)
    named = {name.split(".")[0] for name in re.findall(r"\$\{([^}]+)\}", body)}
    assert named - {"Stage"} <= stack.resources.keys()
    alarms = next(widget for widget in widgets if widget["type"] == "alarm")["properties"]["alarms"]
    assert sorted(alarms) == sorted(f"${{{name}.Arn}}" for name in stack.of_type("AWS::CloudWatch::Alarm"))
    places = [
        (x, y) for w in widgets for x in range(w["x"], w["x"] + w["width"]) for y in range(w["y"], w["y"] + w["height"])
    ]
    assert len(places) == len(set(places))
    assert max(x for x, _ in places) == 23


def test_the_outputs_contain_what_deployments_and_operators_need(stack: Resolved) -> None:
    assert stack.outputs.keys() >= {
        "ApiUrl",
        "ApiKeyId",
        "MigrateFunction",
        "DatabaseSecretArn",
        "CropsBucketName",
        "DashboardUrl",
    }
    assert stack.outputs["MigrateFunction"]["Value"] == {"Ref": "Migrate"}
    assert stack.outputs["ApiKeyId"]["Value"] == {"Ref": "ApiKey"}
    assert stack.outputs["DatabaseSecretArn"]["Value"] == {"Fn::GetAtt": ["Database", "MasterUserSecret.SecretArn"]}
