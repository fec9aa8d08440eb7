"""Versions of the API's function: what publishes one, `make rollback`, and what is kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from infra.deploy.account import Account
from infra.deploy.errors import DeployError
from infra.deploy.rollback import roll_back
from tests.deploy.conftest import REGION, STAGES, Operator, new_operator
from tests.deploy.function_versions import ALIAS, publish
from tests.deploy.test_failures import fail


def live(operator: Operator) -> str:
    return str(operator.client("lambda").get_alias(FunctionName=function(operator), Name=ALIAS)["FunctionVersion"])


def function(operator: Operator) -> str:
    found = operator.client("lambda").list_functions()["Functions"]
    [name] = [each["FunctionName"] for each in found if "APIHandler" in each["FunctionName"]]
    return str(name)


def published(operator: Operator) -> list[str]:
    found = operator.client("lambda").list_versions_by_function(FunctionName=function(operator))["Versions"]
    return [each["Version"] for each in found if each["Version"] != "$LATEST"]


def set_parameters(operator: Operator, **parameters: str) -> None:
    lines = [f'{name} = "{value}"\n' for name, value in parameters.items()]
    (operator.root / STAGES / "dev.toml").write_text("".join(["[parameters]\n", *lines]))


def test_a_changed_function_is_published_and_the_last_two_versions_are_kept(operator: Operator) -> None:
    operator.deployed()
    release = operator.stack.parameters["Release"]
    operator.change_template(Another={"Type": "AWS::S3::Bucket"})
    assert "Version 1 of the API's function is live, and answers." in operator.deployed()
    assert (operator.stack.parameters["Release"], published(operator)) == (release, ["1"])

    operator.package(function="other")
    assert "Version 2 of the API's function is live, and answers." in operator.deployed()

    set_parameters(operator, Greeting="good day")
    assert "Version 3 of the API's function is live, and answers." in operator.deployed()
    assert (live(operator), published(operator)) == ("3", ["2", "3"])
    assert operator.asked == [ALIAS] * 4

    operator.health[ALIAS] = 500
    done = operator.deploy()
    assert "version 3 of the API's function is live and does not work: GET /health was answered with" in done.stderr
    assert "`make rollback STAGE=dev` returns to the version before" in done.stderr


def test_a_rollback_and_the_next_deployment(operator: Operator) -> None:
    set_parameters(operator, Shift="canary")
    operator.deployed()
    operator.package(function="worse")
    operator.deployed()
    assert (live(operator), operator.stack.parameters["Shift"]) == ("2", "canary")

    done = operator.run("dev", module="infra.deploy.rollback")

    assert done.returncode == 0, done.stderr
    assert re.search(r"reach version 1 again \(release \S+, schema 3\), not version 2 \(release", done.stdout)
    assert (live(operator), operator.asked[-1]) == ("1", "1")

    execute = operator.backend.execute_change_set
    undo = fail(operator, "UPDATE_ROLLBACK_COMPLETE", ("ApiRole", "UPDATE_FAILED", "no right"))

    def undone(*given: Any, **names: Any) -> None:
        """Fail, and return to the version that CloudFormation knows."""
        client = operator.client("lambda")
        client.update_alias(FunctionName=function(operator), Name=ALIAS, FunctionVersion="2")
        undo(*given, **names)

    operator.backend.execute_change_set = undone
    assert "Version 1 of the API's function is live again." in operator.deploy().stdout
    assert live(operator) == "1"
    operator.backend.execute_change_set = execute

    printed = operator.deployed()

    assert "Version 1 is live since a rollback from version 2." in printed
    assert "All requests change to the new version at once, after a rollback." in printed
    # The version that was rolled back is not the one before.
    assert (live(operator), published(operator)) == ("3", ["1", "3"])
    assert operator.stack.parameters["Shift"] == "all-at-once"

    path = operator.root / "build/package/dev/template.json"
    path.write_text(path.read_text().replace("schema 3", "schema 4"))
    assert "at once, because the new version needs another database schema." in operator.deployed()


@pytest.fixture(scope="module")
def deployed(moto_url: str, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    operator = new_operator(moto_url, tmp_path_factory.mktemp("rollback") / "project")
    operator.deployed()
    return operator


class TestRefusedRollbacks:
    @pytest.fixture
    def stage(self, deployed: Operator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Operator]:
        """Yield the operator of a stage with two versions; the second is live."""
        monkeypatch.setenv("AWS_ENDPOINT_URL", deployed.endpoint)
        self.publish(deployed, "release a, schema 3", TOKENS_TABLE="tokens")
        self.publish(deployed, "release b, schema 3", TOKENS_TABLE="tokens")
        before = live(deployed)
        yield deployed
        assert live(deployed) == before

    def publish(self, operator: Operator, description: str, **environment: str) -> None:
        """Publish a version and let clients reach it."""
        name, client = function(operator), operator.client("lambda")
        client.update_function_configuration(FunctionName=name, Environment={"Variables": environment})
        version = publish(operator.account, REGION, name, description)
        client.update_alias(FunctionName=name, Name=ALIAS, FunctionVersion=version)

    def refusal(self, operator: Operator) -> str:
        account = Account(operator.session, operator.account, "aws", REGION)
        with pytest.raises(DeployError) as caught:
            roll_back("dev", account)
        return str(caught.value)

    def previous(self, operator: Operator) -> str:
        return published(operator)[-2]

    def test_there_must_be_a_previous_version(self, stage: Operator) -> None:
        for version in published(stage)[:-1]:
            stage.client("lambda").delete_function(FunctionName=function(stage), Qualifier=version)

        assert f"there is no version before version {live(stage)}" in self.refusal(stage)

    def test_a_previous_version_that_does_not_answer(self, stage: Operator) -> None:
        stage.health[self.previous(stage)] = 500

        assert "does not work either, and nothing was changed: GET /health was answered with" in self.refusal(stage)

    def test_a_shift_in_progress(self, stage: Operator) -> None:
        weights = {"AdditionalVersionWeights": {self.previous(stage): 0.1}}
        name, client = function(stage), stage.client("lambda")
        client.update_alias(FunctionName=name, Name=ALIAS, FunctionVersion=live(stage), RoutingConfig=weights)

        assert "CodeDeploy is shifting requests between two versions" in self.refusal(stage)
        client.update_alias(FunctionName=name, Name=ALIAS, FunctionVersion=live(stage), RoutingConfig={})

    def test_a_stage_being_deployed(self, stage: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stage.stack, "status", "UPDATE_IN_PROGRESS")

        assert "the stack is UPDATE_IN_PROGRESS: wait until it finishes" in self.refusal(stage)

    def test_a_stage_that_does_not_exist(self, stage: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stage.stack, "name", "another")

        assert f"there is no stack face-search-dev of this project in region {REGION}" in self.refusal(stage)

    @pytest.mark.parametrize(
        ("description", "table", "reason"),
        [
            ("release c, schema 4", "tokens", "needs the database schema 3, and the database has 4"),
            ("by hand", "tokens", "needs the database schema 3, and the database has None"),
            ("release c, schema 3", "others", "has other stores (TOKENS_TABLE), and nothing was changed"),
        ],
    )
    def test_a_previous_version_for_another_database(
        self, deployed: Operator, monkeypatch: pytest.MonkeyPatch, description: str, table: str, reason: str
    ) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", deployed.endpoint)
        self.publish(deployed, "the release before, schema 3", TOKENS_TABLE="tokens")
        self.publish(deployed, description, TOKENS_TABLE=table)

        assert reason in self.refusal(deployed)
        assert live(deployed) == published(deployed)[-1]
