"""Prints docs/deploying.md's table of the permissions that a deployment needs: `python -m infra.deploy.permissions`.

CloudFormation acts with the permissions of the person who deploys. Its schemas list the actions that it uses to create,
read, update and delete resources of each type. cfn-lint, one of the packages for `make test`, contains the schemas.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

from infra.deploy.costs import table
from infra.deploy.package import template

# The types that Chalice and SAM add to the ones in infra/deploy/template.
GENERATED = frozenset(
    {
        "AWS::ApiGateway::Deployment",
        "AWS::ApiGateway::RestApi",
        "AWS::ApiGateway::Stage",
        "AWS::Events::Rule",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::Function",
        "AWS::Lambda::Permission",
    }
)
HANDLERS = ("create", "read", "update", "delete")

# The actions of `make deploy` and `make destroy` themselves.
OWN = (
    "sts:GetCallerIdentity",
    *(
        f"cloudformation:{action}"
        for action in (
            "CreateChangeSet",
            "DeleteChangeSet",
            "DeleteStack",
            "DescribeChangeSet",
            "DescribeStackEvents",
            "DescribeStacks",
            "ExecuteChangeSet",
            "ListStackResources",
        )
    ),
    # `python -m infra.deploy.smoke`.
    "ce:GetCostAndUsage",
    "logs:FilterLogEvents",
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:GetObject",
    "s3:PutObject",
    # Lambda reads an image with the rights of the person who deploys, and gives itself the right to read it again.
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
    "ecr:GetRepositoryPolicy",
    "ecr:SetRepositoryPolicy",
    "lambda:GetAccountSettings",
    "lambda:GetFunctionConfiguration",
    "lambda:InvokeFunction",
    "rds:DescribeAccountAttributes",
    "rds:DescribeDBClusters",
    "rds:DescribeDBInstances",
    "s3vectors:DeleteIndex",
    "s3vectors:DeleteVectorBucket",
    "s3vectors:ListIndexes",
    "secretsmanager:GetSecretValue",
    "servicequotas:GetServiceQuota",
)

# Actions in the schemas that no property of the template needs, and that give access to data or other people's rights.
UNUSED = (
    "acm-pca:*",  # certificates of a private authority
    "amplify:*",  # firewalls of other services than API Gateway
    "apprunner:*",
    "appsync:*",
    "bedrock-agentcore:*",
    "cognito-idp:*",
    "elasticloadbalancing:*",
    "dynamodb:*Item",
    "dynamodb:*Import*",
    "dynamodb:*Kinesis*",
    "dynamodb:*Replica",
    "dynamodb:Query",
    "dynamodb:Scan",
    "elasticfilesystem:*",  # file systems of functions
    "firehose:*",  # log groups with a delivery stream
    "iam:*GroupPolicy",
    "iam:*UserPolicy",
    "kinesis:*",
    "lambda:PassCapacityProvider",
    "logs:PutLogEvents",
    "organizations:*",  # trails of organisations
    "payments:*",
    "s3:*MetadataTable*",
    "s3:*Metadata*TableConfiguration",
    "s3:GetObject?*",
    "s3:PutObjectAcl",
    "s3:REST.*",  # not an action of IAM
    "s3files:*",
    "s3tables:*",
    "vpc-lattice:*",
    "vpce:*",  # endpoints to other regions
)

# Services whose actions have another prefix than the SDK's name.
PREFIXES = {"service-quotas": "servicequotas"}
# By prefix: the service's name, and the resources that a role may be limited to.
SERVICES = {
    "acm": ("Certificate Manager, for `DomainName`", "all; `RequestCertificate` accepts no resource"),
    "apigateway": (
        "API Gateway",
        "`/restapis*`, `/apikeys*`, `/usageplans*`, `/account`, `/tags*`, `/domainnames*`; `/webacl` of the stage",
    ),
    "codedeploy": (
        'CodeDeploy, for `Shift = "canary"`',
        "`application:face-search-*`, `deploymentgroup:face-search-*/live`, `deploymentconfig:CodeDeployDefault.*`",
    ),
    "ce": ("Cost Explorer, for the smoke test's `--bill`", "all"),
    "cloudtrail": ("CloudTrail, for `CropEventsDays`", "`trail/face-search-*`"),
    "cloudformation": ("CloudFormation", "`stack/face-search-*`"),
    "cloudwatch": ("CloudWatch", "`alarm:face-search-*`, `dashboard/*`"),
    "dynamodb": ("DynamoDB", "`table/face-search-*`"),
    "ec2": ("EC2", "all; `Describe…` accepts no resource"),
    "ecr": ("ECR, for `ImageUri`", "`repository/face-search*`"),
    "events": ("EventBridge", "`rule/face-search-*`, `event-bus/face-search-*`"),
    "iam": ("IAM", "`role/face-search-*`, `policy/face-search-*`; `role/aws-service-role/*` once in an account"),
    "kms": ("KMS", "AWS's own keys of RDS and Secrets Manager; the key of `KmsKeyArn`"),
    "lambda": ("Lambda", "`function:face-search-*`, `layer:*Layer*`, `event-source-mapping:*`"),
    "logs": ("CloudWatch Logs", "`log-group:face-search-*`, `log-group:/aws/rds/*/face-search-*`"),
    "rds": ("RDS", "`…:face-search-*`; `Describe…` all"),
    "route53": ("Route 53, for `HostedZoneId`", "the hosted zone, `change/*`"),
    "s3": ("S3", "`face-search-*`, the buckets of artifacts, crops, incoming pictures and events"),
    "s3vectors": ('S3 Vectors, for `Gallery = "s3vectors"`', "`bucket/*`"),
    "secretsmanager": (
        "Secrets Manager",
        "`secret:rds!db-*`, `secret:rds!cluster-*`, the secret of `DatabaseSecretArn`",
    ),
    "servicequotas": ("Service Quotas", "all"),
    "sns": ("SNS", "`face-search-*`"),
    "sqs": ("SQS, for `Incoming`", "`face-search-*`"),
    "sts": ("STS", "all"),
    "wafv2": ("WAF, for `RequestsPerAddress`", "`regional/webacl/*`, the API's stage"),
}


def types() -> set[str]:
    """Return the types of all resources that a stage may have."""
    written = {each["Type"] for each in template.parts()["Resources"].values() if "Type" in each}
    return written - {template.FUNCTION} | GENERATED


def handlers_actions(of_types: Iterable[str]) -> set[str]:
    """Return the actions that CloudFormation uses for resources of the types, as its schemas list them."""
    schemas = _handlers()
    handlers = [schemas[each].get(name, {}) for each in of_types for name in HANDLERS]
    return {_lowered(action) for handler in handlers for action in handler.get("permissions", [])}


def required() -> dict[str, list[str]]:
    """Return the required actions by service, both in order."""
    actions = {action for action in handlers_actions(types()) if not any(fnmatch(action, unused) for unused in UNUSED)}
    services = defaultdict(list)
    for action in sorted(actions | set(OWN)):
        service, name = action.split(":")
        services[service].append(name)
    return dict(services)


def permissions_table() -> str:
    """Return the table of docs/deploying.md."""
    rows = [
        [SERVICES[service][0], SERVICES[service][1], ", ".join(f"`{action}`" for action in actions)]
        for service, actions in required().items()
    ]
    return table(["service", "on", "actions"], rows)


@cache
def _handlers() -> dict[str, dict[str, dict[str, list[str]]]]:
    """Return the handlers of all types by type. Each handler has a list of `permissions`."""
    import cfnlint

    folder = Path(cfnlint.__file__).parent / "data" / "schemas" / "resources"
    schemas = (json.loads(file.read_bytes()) for file in folder.glob("*.json"))
    return {schema["typeName"]: schema.get("handlers", {}) for schema in schemas}


def _lowered(action: str) -> str:
    """Return an action with its service in lower case: one schema writes `S3:`."""
    service, name = action.split(":")
    return f"{service.lower()}:{name}"


if __name__ == "__main__":
    print(permissions_table())
