"""Each service accepts the names, descriptions, tags and other texts that the template gives to its resources.

botocore's models state most patterns and sizes. DOCUMENTED has patterns that AWS states in its documentation only.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
import pytest
import regex
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape

from tests.template.conftest import EXTRAS
from tests.template.resolved import Resolved, Template

# The operation that creates a resource of a type.
CREATED_BY = {
    "AWS::ApiGateway::Account": "apigateway.UpdateAccount",
    "AWS::ApiGateway::ApiKey": "apigateway.CreateApiKey",
    "AWS::ApiGateway::BasePathMapping": "apigateway.CreateBasePathMapping",
    "AWS::ApiGateway::DomainName": "apigateway.CreateDomainName",
    "AWS::ApiGateway::Deployment": "apigateway.CreateDeployment",
    "AWS::ApiGateway::RestApi": "apigateway.CreateRestApi",
    "AWS::ApiGateway::Stage": "apigateway.CreateStage",
    "AWS::ApiGateway::UsagePlan": "apigateway.CreateUsagePlan",
    "AWS::ApiGateway::UsagePlanKey": "apigateway.CreateUsagePlanKey",
    "AWS::CertificateManager::Certificate": "acm.RequestCertificate",
    "AWS::CloudTrail::Trail": "cloudtrail.CreateTrail",
    "AWS::CloudWatch::Alarm": "cloudwatch.PutMetricAlarm",
    "AWS::CloudWatch::Dashboard": "cloudwatch.PutDashboard",
    "AWS::CodeDeploy::Application": "codedeploy.CreateApplication",
    "AWS::CodeDeploy::DeploymentGroup": "codedeploy.CreateDeploymentGroup",
    "AWS::DynamoDB::Table": "dynamodb.CreateTable",
    "AWS::EC2::RouteTable": "ec2.CreateRouteTable",
    "AWS::EC2::SecurityGroup": "ec2.CreateSecurityGroup",
    "AWS::EC2::SecurityGroupEgress": "ec2.AuthorizeSecurityGroupEgress",
    "AWS::EC2::SecurityGroupIngress": "ec2.AuthorizeSecurityGroupIngress",
    "AWS::EC2::Subnet": "ec2.CreateSubnet",
    "AWS::EC2::SubnetRouteTableAssociation": "ec2.AssociateRouteTable",
    "AWS::EC2::VPC": "ec2.CreateVpc",
    "AWS::EC2::VPCEndpoint": "ec2.CreateVpcEndpoint",
    "AWS::Events::EventBus": "events.CreateEventBus",
    "AWS::Events::Rule": "events.PutRule",
    "AWS::IAM::ManagedPolicy": "iam.CreatePolicy",
    "AWS::IAM::Policy": "iam.PutRolePolicy",
    "AWS::IAM::Role": "iam.CreateRole",
    "AWS::Lambda::Alias": "lambda.CreateAlias",
    "AWS::Lambda::EventInvokeConfig": "lambda.PutFunctionEventInvokeConfig",
    "AWS::Lambda::EventSourceMapping": "lambda.CreateEventSourceMapping",
    "AWS::Lambda::Function": "lambda.CreateFunction",
    "AWS::Lambda::LayerVersion": "lambda.PublishLayerVersion",
    "AWS::Lambda::Permission": "lambda.AddPermission",
    "AWS::Lambda::Version": "lambda.PublishVersion",
    "AWS::Logs::LogGroup": "logs.CreateLogGroup",
    "AWS::Logs::MetricFilter": "logs.PutMetricFilter",
    "AWS::Logs::SubscriptionFilter": "logs.PutSubscriptionFilter",
    "AWS::RDS::DBInstance": "rds.CreateDBInstance",
    "AWS::RDS::DBParameterGroup": "rds.CreateDBParameterGroup",
    "AWS::RDS::DBProxy": "rds.CreateDBProxy",
    "AWS::RDS::DBProxyTargetGroup": "rds.ModifyDBProxyTargetGroup",
    "AWS::RDS::DBSubnetGroup": "rds.CreateDBSubnetGroup",
    "AWS::Route53::RecordSet": "route53.ChangeResourceRecordSets",
    "AWS::S3::Bucket": "s3.CreateBucket",
    "AWS::S3::BucketPolicy": "s3.PutBucketPolicy",
    "AWS::S3Vectors::VectorBucket": "s3vectors.CreateVectorBucket",
    "AWS::S3Vectors::VectorBucketPolicy": "s3vectors.PutVectorBucketPolicy",
    "AWS::SNS::Subscription": "sns.Subscribe",
    "AWS::SNS::Topic": "sns.CreateTopic",
    "AWS::SQS::Queue": "sqs.CreateQueue",
    "AWS::SQS::QueuePolicy": "sqs.SetQueueAttributes",
    "AWS::WAFv2::WebACL": "wafv2.CreateWebACL",
    "AWS::WAFv2::WebACLAssociation": "wafv2.AssociateWebACL",
}
# A policy in a role's own properties.
POLICY_NAME = "iam.PutRolePolicy"
RULE_DESCRIPTION = r"[a-zA-Z0-9. _:/()#,@\[\]+=&;{}!$*-]{0,255}"
RDS_NAME = r"[a-zA-Z](-?[a-zA-Z0-9])*"
# A type's property, as in the resource: a pattern that no model states. The sources are the API references of
# CreateSecurityGroup, CreateDBInstance, CreateDBProxy and CreateTopic.
DOCUMENTED = {
    ("AWS::EC2::SecurityGroup", "GroupDescription"): RULE_DESCRIPTION,
    ("AWS::EC2::SecurityGroup", "Description"): RULE_DESCRIPTION,
    ("AWS::EC2::SecurityGroupEgress", "Description"): RULE_DESCRIPTION,
    ("AWS::EC2::SecurityGroupIngress", "Description"): RULE_DESCRIPTION,
    ("AWS::RDS::DBInstance", "DBInstanceIdentifier"): rf"(?=.{{1,63}}$){RDS_NAME}",
    ("AWS::RDS::DBInstance", "MasterUsername"): r"[a-zA-Z][a-zA-Z0-9_]{0,31}",
    ("AWS::RDS::DBProxy", "DBProxyName"): rf"(?=.{{1,63}}$){RDS_NAME}",
    ("AWS::SNS::Topic", "DisplayName"): r".{0,100}",
}
# The strictest of the services' patterns: https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
TAG_KEY, TAG_VALUE = r"(?!aws:)[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}", r"[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}"

CHOICES: tuple[dict[str, str], ...] = (
    {},
    {"ApiLogsAccountRole": "exists"},
    {"Gallery": "s3vectors", "UseProxy": "true", "AlarmEmail": "operator@example.com", "RequestsPerDay": "9"},
    {"AWS::StackName": f"face-search-{'a' * 20}", "UseProxy": "true"},
    EXTRAS,
)


@cache
def _model(service: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(service)


@cache
def _input(operation: str) -> Shape:
    service, name = operation.split(".")
    shape = _model(service).operation_model(name).input_shape
    assert shape is not None
    return shape


def _tags(value: Any) -> Iterator[tuple[str, str]]:
    """Yield every key and value of the tags anywhere in a resource's properties."""
    if isinstance(value, dict):
        for name, item in value.items():
            if name == "Tags":
                yield from ((tag["Key"], tag["Value"]) for tag in item) if isinstance(item, list) else item.items()
            else:
                yield from _tags(item)
    elif isinstance(value, list):
        for item in value:
            yield from _tags(item)


def _refused(value: Any, shape: Shape, path: str) -> Iterator[str]:
    """Yield the texts in a value that its model refuses. Properties that the model does not have are ignored."""
    if isinstance(value, str) and shape.type_name == "string" and "${" not in value:
        pattern, limits = shape.metadata.get("pattern"), shape.metadata
        # The models write \uXXXX as JSON and JavaScript do, which `regex` reads too.
        if pattern and not regex.fullmatch(pattern.removeprefix("^").removesuffix("$"), value):
            yield f"{path}: {value!r} does not match {pattern}"
        if not limits.get("min", 0) <= len(value) <= limits.get("max", len(value)):
            yield f"{path}: {value!r} has {len(value)} characters"
        if getattr(shape, "enum", None) and value not in shape.enum:  # type: ignore[attr-defined]
            yield f"{path}: {value!r} is not one of {shape.enum}"  # type: ignore[attr-defined]
    elif isinstance(value, list) and isinstance(shape, ListShape):
        for place, item in enumerate(value):
            yield from _refused(item, shape.member, f"{path}/{place}")
    elif isinstance(value, dict) and isinstance(shape, MapShape):
        for name, item in value.items():
            yield from _refused(item, shape.value, f"{path}/{name}")
    elif isinstance(value, dict) and isinstance(shape, StructureShape):
        members = {name.lower(): member for name, member in shape.members.items()}
        for name, item in value.items():
            if name.lower() in members:
                yield from _refused(item, members[name.lower()], f"{path}/{name}")


def _documented(value: Any, kind: str, path: str) -> Iterator[str]:
    """Yield the texts in a value that do not match the pattern of DOCUMENTED for their property."""
    if isinstance(value, list):
        for place, item in enumerate(value):
            yield from _documented(item, kind, f"{path}/{place}")
    elif isinstance(value, dict):
        for name, item in value.items():
            pattern = DOCUMENTED.get((kind, name))
            if pattern and isinstance(item, str) and not regex.fullmatch(pattern, item):
                yield f"{path}/{name}: {item!r} does not match {pattern}"
            yield from _documented(item, kind, f"{path}/{name}")


def _problems(stack: Resolved) -> list[str]:
    problems: list[str] = []
    for name, resource in stack.resources.items():
        properties, kind = resource.get("Properties", {}), resource["Type"]
        problems += _refused(properties, _input(CREATED_BY[kind]), name)
        problems += _documented(properties, kind, name)
        problems += [
            f"{name}: the tag {key!r} {value!r}"
            for key, value in _tags(properties)
            if not (regex.fullmatch(TAG_KEY, key) and (isinstance(value, dict) or regex.fullmatch(TAG_VALUE, value)))
        ]
        for policy in properties.get("Policies", []):
            problems += _refused(policy, _input(POLICY_NAME), name)
    return problems


@pytest.mark.parametrize("chosen", CHOICES, ids=str)
def test_every_text_is_accepted_by_its_service(whole: Template, chosen: dict[str, str]) -> None:
    assert _problems(Resolved(whole, chosen)) == []


@pytest.mark.parametrize(
    ("resource", "property_name", "value"),
    [
        ("AccessLog", "Tags", [{"Key": "written-by", "Value": "the account's own role"}]),
        ("Network", "Tags", [{"Key": "aws:name", "Value": "x"}]),
        ("NetworkPolicy", "Description", "x" * 1001),
        ("ApiRole", "RoleName", "face search"),
        ("DatabaseLog", "LogGroupName", "/aws/rds/instance/a b/error"),
        ("FunctionsGroup", "GroupDescription", "the functions' group"),
        ("Database", "DBInstanceIdentifier", "face--search"),
        ("DepsLayer", "Description", "x" * 257),
        ("APIHandler", "PackageType", "Tar"),
        ("AlarmTopic", "DisplayName", "x" * 101),
    ],
)
def test_a_refused_text_is_found(whole: Template, resource: str, property_name: str, value: Any) -> None:
    stack = Resolved(whole, {})
    stack.properties(resource)[property_name] = value

    assert len(_problems(stack)) == 1
