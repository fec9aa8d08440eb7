"""Versions of the API's function: what publishes one, how traffic shifts to it, and how its containers start."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from chalicelib.stores.face_set.schema import MIGRATIONS
from infra.deploy import versions
from infra.deploy.package import versions as packaged
from infra.deploy.package.errors import PackageError
from tests.template.resolved import Resolved, Template

DIGEST = versions.DIGITS


def test_clients_reach_the_version_of_the_alias(stack: Resolved) -> None:
    assert stack.properties("LiveAlias") == {
        "Name": "live",
        "FunctionName": {"Ref": "APIHandler"},
        "FunctionVersion": {"Fn::GetAtt": ["ApiVersion", "Version"]},
    }
    assert stack.properties("APIHandlerInvokePermission")["FunctionName"] == {"Ref": "LiveAlias"}
    assert "UpdatePolicy" not in stack.resources["LiveAlias"]


def test_a_new_release_changes_the_function_and_its_version_together(template: Template) -> None:
    """Lambda publishes no version of an unchanged function, and CloudFormation none with an unchanged description."""
    stack = Resolved(template, {"Release": "abc-20261130-101112"})
    descriptions = {stack.properties(name)["Description"] for name in ("APIHandler", "ApiVersion")}

    assert descriptions == {f"release abc-20261130-101112, schema {len(MIGRATIONS)}"}
    assert versions.schema(descriptions.pop()) == versions.new_schema(template) == len(MIGRATIONS)
    # The previous version is there for a rollback.
    assert stack.resources["ApiVersion"]["UpdateReplacePolicy"] == "Retain"


GIVEN = {"FunctionKey": "f", "DepsLayerKey": "d", "ModelsLayerKey": "m"}


class TestRelease:
    def digest(self, template: Template, **chosen: str) -> str:
        return versions.release(template, GIVEN | chosen, None)[:DIGEST]

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("FunctionKey", "other"),
            ("DepsLayerKey", "other"),
            ("ModelsLayerKey", "other"),
            ("LogLevel", "DEBUG"),
            ("ApiMemoryMb", "2048"),
            ("SnapStart", "true"),
            ("Tracing", "true"),
            ("AuditLogDays", "30"),
            ("DatabaseGeneration", "2"),
            ("UseProxy", "true"),
        ],
    )
    def test_a_parameter_of_the_function_changes_the_release(self, template: Template, name: str, value: str) -> None:
        assert self.digest(template, **{name: value}) != self.digest(template)

    @pytest.mark.parametrize(
        ("name", "value"),
        [("AlarmEmail", "a@example.com"), ("RequestBurst", "7"), ("Shift", "canary"), ("ProvisionedContainers", "1")],
    )
    def test_other_parameters_do_not(self, template: Template, name: str, value: str) -> None:
        assert self.digest(template, **{name: value}) == self.digest(template)

    @pytest.mark.parametrize(
        ("resource", "kept"), [("APIHandler", False), ("DepsLayer", False), ("TokensTable", False), ("Dashboard", True)]
    )
    def test_a_resource_of_the_function_changes_the_release(
        self, template: Template, resource: str, kept: bool
    ) -> None:
        changed = copy.deepcopy(template)
        changed["Resources"][resource]["Properties"]["Changed"] = True

        assert (self.digest(changed) == self.digest(template)) is kept

    def test_the_present_release_is_kept_while_nothing_changes(self, template: Template) -> None:
        present = f"{self.digest(template)}-20200101-000000"

        assert versions.release(template, GIVEN, present) == present
        assert versions.release(template, GIVEN, None) != present
        assert versions.release(template, GIVEN | {"FunctionKey": "g"}, present)[:DIGEST] != present[:DIGEST]


class TestCanary:
    def test_without_it_there_is_nothing_of_codedeploy(self, stack: Resolved) -> None:
        assert [name for name, each in stack.resources.items() if "CodeDeploy" in each["Type"]] == []
        assert {"SmokeTest", "SmokeTestRole", "SmokeTestLog", "ShiftRole"} & stack.resources.keys() == set()

    def test_codedeploy_tests_the_new_version_and_watches_the_alarm(self, with_extras: Resolved) -> None:
        assert with_extras.resources["LiveAlias"]["UpdatePolicy"] == {
            "CodeDeployLambdaAliasUpdate": {
                "ApplicationName": {"Ref": "Shifts"},
                "DeploymentGroupName": {"Ref": "ShiftGroup"},
                "BeforeAllowTrafficHook": {"Ref": "SmokeTest"},
            }
        }
        group = with_extras.properties("ShiftGroup")
        assert group["DeploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent5Minutes"
        assert group["AlarmConfiguration"] == {"Enabled": True, "Alarms": [{"Name": {"Ref": "ServerErrorsAlarmed"}}]}
        assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
        smoke_test = with_extras.properties("SmokeTest")
        assert smoke_test["Environment"]["Variables"] == {"NEW_VERSION": {"Ref": "ApiVersion"}}
        # Longer than the tested function's own time limit.
        assert smoke_test["Timeout"] > 60 > with_extras.properties("APIHandler")["Timeout"]

    def test_its_roles_may_do_no_more(self, with_extras: Resolved) -> None:
        granted: dict[str, dict[str, Any]] = {"ShiftRole": {}, "SmokeTestRole": {}}
        for role, statement in with_extras.statements():
            if role in granted:
                actions = statement["Action"]
                for action in [actions] if isinstance(actions, str) else actions:
                    granted[role][action] = statement["Resource"]

        arn, of_function = "arn:${AWS::Partition}:", {"Fn::GetAtt": ["APIHandler", "Arn"]}
        alias = [of_function, "${APIHandler.Arn}:live"]
        assert granted == {
            "ShiftRole": {
                "lambda:GetAlias": alias,
                "lambda:UpdateAlias": alias,
                "lambda:GetProvisionedConcurrencyConfig": alias,
                "lambda:InvokeFunction": {"Fn::GetAtt": ["SmokeTest", "Arn"]},
                "cloudwatch:DescribeAlarms": f"{arn}cloudwatch:eu-central-1:${{AWS::AccountId}}:alarm:*",
            },
            "SmokeTestRole": {
                "logs:CreateLogStream": {"Fn::GetAtt": ["SmokeTestLog", "Arn"]},
                "logs:PutLogEvents": {"Fn::GetAtt": ["SmokeTestLog", "Arn"]},
                "lambda:InvokeFunction": "${APIHandler.Arn}:*",
                "codedeploy:PutLifecycleEventHookExecutionStatus": (
                    f"{arn}codedeploy:eu-central-1:${{AWS::AccountId}}:deploymentgroup:face-search-dev/live"
                ),
            },
        }
        assert with_extras.properties("ShiftGroup")["DeploymentGroupName"] == "live"
        assert with_extras.properties("Shifts")["ApplicationName"] == "face-search-dev"


class TestStarts:
    def test_containers_start_on_demand_by_default(self, stack: Resolved) -> None:
        assert stack.properties("APIHandler")["SnapStart"] == {"ApplyOn": "None"}

    def test_containers_can_start_from_a_snapshot(self, template: Template) -> None:
        stack = Resolved(template, {"SnapStart": "true"})

        assert stack.properties("APIHandler")["SnapStart"] == {"ApplyOn": "PublishedVersions"}

    def test_containers_can_be_kept_started(self, with_extras: Resolved) -> None:
        assert with_extras.properties("LiveAlias")["ProvisionedConcurrencyConfig"] == {
            "ProvisionedConcurrentExecutions": "2"
        }

    @pytest.mark.parametrize(
        ("chosen", "python"),
        [
            ({}, "3.11"),
            ({"SnapStart": "true", "ProvisionedContainers": "0"}, "3.12"),
            ({"SnapStart": "false", "ProvisionedContainers": "60"}, "3.13"),
            ({"ProvisionedContainers": "61", "DatabaseClass": "db.t4g.medium"}, "3.13"),
            ({"ProvisionedContainers": "61", "ReserveConcurrency": "false"}, "3.13"),
        ],
    )
    def test_what_lambda_has_is_accepted(self, template: Template, chosen: dict[str, str], python: str) -> None:
        packaged.check(chosen, template, python)

    @pytest.mark.parametrize(
        ("chosen", "python", "reason"),
        [
            ({"SnapStart": "true", "ProvisionedContainers": "2"}, "3.13", "Lambda has one or the other"),
            ({"SnapStart": "true", "ImageUri": "an image"}, "3.13", "Lambda takes no snapshots of images"),
            ({"SnapStart": "true"}, "3.11", r"SnapStart, which python3\.11 does not have"),
            ({"ProvisionedContainers": "61"}, "3.13", "ProvisionedContainers to 61, but reserves 60 containers"),
            ({"ProvisionedContainers": "two"}, "3.13", "to two: it must be a whole number from 0"),
            ({"ProvisionedContainers": "-1"}, "3.13", "to -1: it must be a whole number from 0"),
        ],
    )
    def test_what_lambda_lacks_is_refused(
        self, template: Template, chosen: dict[str, str], python: str, reason: str
    ) -> None:
        with pytest.raises(PackageError, match=reason):
            packaged.check(chosen, template, python)
