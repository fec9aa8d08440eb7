"""The stage from `make package`, deployed to moto as far as moto supports it."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from infra.deploy.layers.target import target
from infra.deploy.package import gallery
from infra.deploy.package.__main__ import write
from infra.deploy.packaged_stage import ROOT
from tests.deploy.conftest import REGION, STACK, STAGES, Operator

# Parts of the template that moto's CloudFormation cannot read or reads wrongly.
BEYOND_MOTO = {
    "AWS::ApiGateway::Deployment",  # moto ignores the API's body and then misses its methods
    "AWS::CloudWatch::Dashboard",  # refers to alarms, which moto does not create
    "AWS::IAM::Policy",  # moto keeps AWS::NoValue among the statements and then refuses them
}
# In an update moto also changes resources with a false condition, and then misses what they refer to.
CONDITIONS_BEYOND_MOTO = {
    "AuditIsLogged",
    "AuroraIsCreated",
    "EventsAreSent",
    "IntakeIsAudited",
    "PicturesComeByS3",
    "TokensAreChecked",
    "TrafficIsShifted",
    "YourDatabaseIsAllowed",
    "YourDatabaseIsOpened",
}
PROPERTIES_BEYOND_MOTO = {
    "AWS::Lambda::Function": "Layers",  # mistaken for their ARNs in an update
    "AWS::Logs::LogGroup": "Tags",  # expected to belong to another resource
    "AWS::RDS::DBInstance": "DBParameterGroupName",  # mistaken for a text
}


def understood_by_moto(value: Any) -> Any:
    """Return a part of the template without anything that moto does not support."""
    match value:
        case {"Fn::Cidr": _}:
            known: Any = [f"10.64.0.{64 * number}/26" for number in range(4)]
        case {"Fn::GetAtt": ["Database", _]}:
            known = "master-user"
        case {"Ref": "ApiKey"}:
            known = "abcdefghij"
        case {"Ref": "RestAPIapiStage"}:
            known = "api"
        case dict():
            known = {name: understood_by_moto(part) for name, part in value.items()}
        case list():
            known = [understood_by_moto(part) for part in value]
        case "RetainExceptOnCreate":
            known = "Retain"
        case str():
            known = value.replace("${Database.Endpoint.Address}", "db.invalid")
            known = known.replace("${Database.DbiResourceId}", "db-ABC")
        case _:
            known = value
    return known


@pytest.fixture
def stage(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> Operator:
    """Return an operator who packaged stage `dev` of the real project, without layers, for either gallery."""
    monkeypatch.setattr(gallery, "for_gallery", lambda finished, _: finished)
    folder = operator.root / "build" / "package" / "dev"
    listed = (folder / "artifacts.json").read_text()
    shutil.copy(ROOT / STAGES / "dev.toml", operator.root / STAGES)
    path = write("dev", target("arm64", "python3.13"), ["dlib"], folder)
    template = understood_by_moto(json.loads(path.read_text()))
    template["Outputs"]["DashboardUrl"]["Value"] = "https://example.com/dashboard"
    resources = template["Resources"]
    for name, resource in list(resources.items()):
        if resource["Type"] in BEYOND_MOTO or resource.get("Condition") in CONDITIONS_BEYOND_MOTO:
            del resources[name]
        elif beyond := PROPERTIES_BEYOND_MOTO.get(resource["Type"]):
            resource["Properties"].pop(beyond, None)
    for resource in resources.values():
        if resource.get("DependsOn") not in (None, *resources):
            del resource["DependsOn"]
    path.write_text(json.dumps(template))
    (folder / "artifacts.json").write_text(listed)
    return operator


@pytest.mark.filterwarnings("ignore:Tried to parse", "ignore:Unable to delete")
def test_the_real_stage_can_be_deployed_and_changed(stage: Operator) -> None:
    printed = stage.deployed()

    functions = {function["FunctionName"].split("-")[3] for function in list_functions(stage)}
    assert functions == {
        "APIHandler",
        "Compact",
        "Export",
        "ImportFaces",
        "Migrate",
        "ReEmbed",
        "RebuildIndex",
        "Reconcile",
    }
    assert stage.stack.parameters["DatabaseClass"] == "db.t4g.small"
    assert [next(iter(event)) for event in stage.events] == ["administrator"]
    assert "aws apigateway get-api-key --api-key abcdefghij" in printed
    assert f"execute-api.{REGION}.amazonaws.com/api/detect" in printed

    assert "The stack is up to date." in stage.deployed()

    stage.package(function="another function")
    key = stage.stack.parameters["FunctionKey"]
    assert "function.zip: uploaded" in stage.deployed()
    assert stage.stack.parameters["FunctionKey"] != key
    assert len(list_functions(stage)) == len(functions)

    assert stage.client("s3vectors").list_vector_buckets()["vectorBuckets"] == []
    file = stage.root / STAGES / "dev.toml"
    file.write_text(file.read_text() + 'Gallery = "s3vectors"\n')
    stage.deployed()
    [bucket] = stage.client("s3vectors").list_vector_buckets()["vectorBuckets"]
    for function in list_functions(stage):
        variables = function["Environment"]["Variables"]
        assert (variables["GALLERY"], variables["VECTOR_BUCKET"]) == ("s3vectors", bucket["vectorBucketName"])

    stage.client("rds").modify_db_instance(DBInstanceIdentifier=f"{STACK}-1", DeletionProtection=True)
    assert f"the database {STACK}-1 is protected" in stage.destroy("--confirm", "dev").stderr
    # moto deletes a network before its contents, so the tests of the smaller template cover the deletion itself.


def list_functions(operator: Operator) -> list[dict[str, Any]]:
    functions: list[dict[str, Any]] = operator.client("lambda").list_functions()["Functions"]
    return functions
