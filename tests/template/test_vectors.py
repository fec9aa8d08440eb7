"""Resources for a gallery in Amazon S3 Vectors, and their absence otherwise."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

from botocore import xform_name
from botocore.session import get_session

from chalicelib.gallery.vector_gallery import MAX_TAIL
from chalicelib.settings import GALLERIES, Settings
from chalicelib.telemetry.metrics import Metric
from chalicelib.telemetry.middleware import NAMESPACE
from infra.deploy.package import stage
from infra.deploy.package.chalice_project import ROOT
from infra.deploy.package.gallery import references
from tests.template.resolved import Resolved, Template

ARN = {"Fn::GetAtt": ["VectorBucket", "VectorBucketArn"]}
NAME = {"Fn::Select": [1, {"Fn::Split": ["/", ARN]}]}
ONLY_WITH_VECTORS = {
    "VectorBucket",
    "VectorBucketPolicy",
    "VectorsEndpoint",
    "VectorsEndpointGroup",
    "IndexBehindAlarmed",
    "IndexFaultsOfRequests",
    "IndexFaultsOfCompact",
    "IndexFaultsAlarmed",
}


def test_a_stage_chooses_one_of_the_services_galleries_with_memory_as_default(whole: Template) -> None:
    assert whole["Parameters"]["Gallery"]["AllowedValues"] == list(GALLERIES)
    assert Resolved(whole, {}).parameters["Gallery"] == "memory"


def test_with_memory_there_are_no_vector_resources(whole: Template, with_vectors: Resolved) -> None:
    memory = Resolved(whole, {})

    assert with_vectors.resources.keys() - memory.resources.keys() == ONLY_WITH_VECTORS
    assert references(list(memory.resources.values())) & ONLY_WITH_VECTORS == set()
    assert references(list(memory.outputs.values())) & ONLY_WITH_VECTORS == set()


def test_the_memory_template_fits_a_region_without_s3_vectors(template: Template, whole: Template) -> None:
    """The memory template contains no resource that such a region refuses, not even conditionally, but all others."""
    assert "S3Vectors" not in json.dumps(template)
    assert references(template) & ONLY_WITH_VECTORS == set()
    assert template["Parameters"]["Gallery"]["AllowedValues"] == ["memory"]
    assert whole["Parameters"].keys() - template["Parameters"].keys() == {"IndexBehindAlarm"}
    for parameters in ({}, stage.parameters("prod")):
        chosen, conditional = Resolved(template, parameters), Resolved(whole, parameters)
        assert chosen.resources == conditional.resources
        assert chosen.outputs == conditional.outputs


def test_every_function_receives_the_vector_buckets_name(with_vectors: Resolved) -> None:
    for name, function in with_vectors.of_type("AWS::Lambda::Function").items():
        variables = function["Environment"]["Variables"]
        assert variables["VECTOR_BUCKET"] == NAME, name
        texts = {key: "there" if isinstance(value, dict) else str(value) for key, value in variables.items()}
        assert Settings.from_environment(texts | {"AWS_LAMBDA_FUNCTION_NAME": name}).gallery == "s3vectors"
    assert with_vectors.outputs["VectorBucketName"]["Value"] == NAME


def test_the_bucket_is_encrypted_and_retained(with_vectors: Resolved) -> None:
    assert with_vectors.properties("VectorBucket") == {"EncryptionConfiguration": {"SseType": "AES256"}}
    for name in ("VectorBucket", "VectorBucketPolicy"):
        resource = with_vectors.resources[name]
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


def test_cloudformation_manages_no_index(with_vectors: Resolved) -> None:
    """CloudFormation would delete the index in use when another one replaces it."""
    assert with_vectors.of_type("AWS::S3Vectors::Index") == {}


def test_vectors_are_sent_only_over_tls_and_within_this_account(with_vectors: Resolved) -> None:
    properties = with_vectors.properties("VectorBucketPolicy")

    assert properties["VectorBucketArn"] == ARN
    statements = properties["Policy"]["Statement"]
    for statement in statements:
        assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3vectors:*")
        assert statement["Resource"] == [ARN, "${VectorBucket.VectorBucketArn}/index/*"]
    assert [statement["Condition"] for statement in statements] == [
        {"Bool": {"aws:SecureTransport": "false"}},
        {"StringNotEquals": {"aws:PrincipalAccount": {"Ref": "AWS::AccountId"}}},
    ]


def test_only_the_functions_reach_the_endpoint_by_the_services_own_name(with_vectors: Resolved) -> None:
    endpoint, group = with_vectors.properties("VectorsEndpoint"), with_vectors.properties("VectorsEndpointGroup")

    assert (endpoint["VpcEndpointType"], endpoint["PrivateDnsEnabled"]) == ("Interface", True)
    assert endpoint["ServiceName"] == "com.amazonaws.eu-central-1.s3vectors"
    # Private DNS names need both settings.
    network = with_vectors.properties("Network")
    assert network["EnableDnsSupport"] is network["EnableDnsHostnames"] is True
    assert endpoint["SubnetIds"] == [{"Ref": "SubnetA"}, {"Ref": "SubnetB"}]
    assert endpoint["SecurityGroupIds"] == [{"Ref": "VectorsEndpointGroup"}]
    [inward], [outward] = group["SecurityGroupIngress"], group["SecurityGroupEgress"]
    assert (inward["FromPort"], inward["ToPort"], inward["SourceSecurityGroupId"]) == (
        443,
        443,
        {"Ref": "FunctionsGroup"},
    )
    assert outward["CidrIp"] == "127.0.0.1/32"


def test_the_endpoint_allows_exactly_what_the_roles_allow(with_vectors: Resolved) -> None:
    [statement] = with_vectors.properties("VectorsEndpoint")["PolicyDocument"]["Statement"]

    allowed = {
        action
        for _, granted in with_vectors.statements()
        for action in _listed(granted["Action"])
        if action.startswith("s3vectors:")
    }
    assert set(statement["Action"]) == allowed
    assert statement["Resource"] == "${VectorBucket.VectorBucketArn}/index/*"
    assert statement["Condition"] == {"StringEquals": {"aws:PrincipalAccount": {"Ref": "AWS::AccountId"}}}
    operations = get_session().get_service_model("s3vectors").operation_names
    assert {action.removeprefix("s3vectors:") for action in allowed} <= set(operations)


def test_the_endpoint_allows_exactly_what_the_service_calls(with_vectors: Resolved) -> None:
    """Finds the operations in the code, where their names have underscores, so that none is forgotten."""
    operations = {xform_name(name) for name in get_session().get_service_model("s3vectors").operation_names}
    trees = [ast.parse(file.read_text("utf-8")) for file in (ROOT / "chalicelib").rglob("*.py")]
    attributes = {node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    called = attributes & operations

    [statement] = with_vectors.properties("VectorsEndpoint")["PolicyDocument"]["Statement"]
    named = {xform_name(action.removeprefix("s3vectors:")) for action in statement["Action"]}
    # GetVectors is also needed for filters and for listings with data.
    assert called <= named
    assert named - called <= {"get_vectors"}


def test_an_alarm_is_raised_before_searches_are_refused(with_vectors: Resolved) -> None:
    behind = with_vectors.properties("IndexBehindAlarmed")

    assert (behind["Namespace"], behind["MetricName"]) == (NAMESPACE, Metric.INDEX_BEHIND.value[0])
    assert {d["Name"]: d["Value"] for d in behind["Dimensions"]} == {
        "function": {"Ref": "Compact"},
        "service": "face-search",
    }
    assert behind["Statistic"] == "Minimum"
    assert int(behind["Threshold"]) < MAX_TAIL


def test_index_faults_are_counted_from_the_services_log_lines(with_vectors: Resolved) -> None:
    filters = with_vectors.of_type("AWS::Logs::MetricFilter").values()
    faults = with_vectors.properties("IndexFaultsAlarmed")

    assert sorted(metric["LogGroupName"]["Ref"] for metric in filters) == ["ApiLog", "CompactLog"]
    for metric in filters:
        [counted] = metric["MetricTransformations"]
        assert counted["MetricNamespace"] == faults["Namespace"] == "FaceSearch/face-search-dev"
        assert counted["MetricName"] == faults["MetricName"]
        [text] = re.findall(r'\$\.message = "\*([^*]+)\*"', metric["FilterPattern"])
        for file in ("vector_wiring.py", "maintenance/operations.py", "gallery/vector_gallery.py"):
            logged = re.findall(r'\.(?:warning|error)\(\s*"([^"]+)"', (ROOT / "chalicelib" / file).read_text("utf-8"))
            assert [line for line in logged if text in line], file


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
