"""Least privilege: what each role may do, and on which resources."""

from __future__ import annotations

from typing import Any

import pytest

from tests.template.resolved import Resolved

CROPS = {"Fn::GetAtt": ["CropsBucket", "Arn"]}
INDEXES = "${VectorBucket.VectorBucketArn}/index/*"
FACES, TEMPORARY, EXPORTS, SEGMENTS = (
    f"${{CropsBucket.Arn}}/{prefix}/*" for prefix in ("faces", "temporary", "exports", "segments")
)
MARKS = "${CropsBucket.Arn}/changes"
ARN = "arn:${AWS::Partition}:"
# Actions without resource-level permissions, according to "Actions, resources, and condition keys" for Amazon EC2 and
# AWS X-Ray in AWS's service authorization reference. Lambda's guide requires EC2's in the role of every function in a
# network.
CANNOT_BE_NAMED = {
    *("ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"),
    *("xray:PutTraceSegments", "xray:PutTelemetryRecords"),
}
ROWS, OWNER = "${Database.DbiResourceId}/face_search", "${Database.DbiResourceId}/face_search_owner"


def _on(resource: Any, *actions: str) -> dict[str, Any]:
    return dict.fromkeys(actions, resource)


def _log(name: str) -> dict[str, Any]:
    return _on({"Fn::GetAtt": [name, "Arn"]}, "logs:CreateLogStream", "logs:PutLogEvents")


def _database(user: str) -> dict[str, Any]:
    return _on(f"{ARN}rds-db:eu-central-1:${{AWS::AccountId}}:dbuser:{user}", "rds-db:connect")


# Everything that each function's role may do: action -> resource.
GRANTED: dict[str, dict[str, Any]] = {
    "ApiRole": {
        **_log("ApiLog"),
        **_database(ROWS),
        **_on(
            {"Fn::GetAtt": ["TokensTable", "Arn"]},
            *("dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:DeleteItem"),
        ),
        **_on([TEMPORARY, FACES], "s3:PutObject", "s3:DeleteObject"),
        **_on([TEMPORARY, FACES, SEGMENTS], "s3:GetObject"),
        **_on(CROPS, "s3:ListBucket"),
    },
    "CompactRole": {
        **_log("CompactLog"),
        **_database(ROWS),
        **_on(SEGMENTS, "s3:PutObject", "s3:DeleteObject"),
        **_on(CROPS, "s3:ListBucket"),
    },
    "ReconcileRole": {
        **_log("ReconcileLog"),
        **_database(ROWS),
        **_on(CROPS, "s3:ListBucket"),
        **_on(FACES, "s3:DeleteObject"),
    },
    "ReEmbedRole": {
        **_log("ReEmbedLog"),
        **_database(ROWS),
        **_on(SEGMENTS, "s3:PutObject", "s3:DeleteObject"),
        **_on(FACES, "s3:GetObject"),
        **_on(CROPS, "s3:ListBucket"),
    },
    "ExportRole": {
        **_log("ExportLog"),
        **_database(ROWS),
        **_on([FACES, EXPORTS], "s3:GetObject"),
        **_on(EXPORTS, "s3:PutObject", "s3:DeleteObject"),
        **_on(CROPS, "s3:ListBucket"),
    },
    "ImportRole": {
        **_log("ImportLog"),
        **_database(ROWS),
        **_on(EXPORTS, "s3:GetObject"),
        **_on(FACES, "s3:PutObject", "s3:DeleteObject"),
        **_on(CROPS, "s3:ListBucket"),
    },
    "RebuildIndexRole": {**_log("RebuildIndexLog"), **_database(ROWS)},
    "MigrateRole": {**_log("MigrateLog"), **_database(OWNER)},
}
WRITES = ("s3vectors:PutVectors", "s3vectors:DeleteVectors")
INDEXES_TOO = (*WRITES, "s3vectors:CreateIndex", "s3vectors:DeleteIndex")
# Additional rights with a vector bucket. Filtered queries and listings with data need GetVectors.
GRANTED_WITH_VECTORS = {
    "ApiRole": _on(INDEXES, *WRITES, "s3vectors:QueryVectors", "s3vectors:GetVectors"),
    "CompactRole": _on(INDEXES, *WRITES, "s3vectors:DeleteIndex"),
    "ReconcileRole": _on(INDEXES, *WRITES, "s3vectors:QueryVectors", "s3vectors:GetVectors", "s3vectors:ListVectors"),
    "ReEmbedRole": _on(INDEXES, *INDEXES_TOO),
    "ExportRole": {},
    "ImportRole": _on(INDEXES, *WRITES),
    "RebuildIndexRole": _on(INDEXES, *INDEXES_TOO),
    "MigrateRole": _on(INDEXES, *INDEXES_TOO),
}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_every_function_has_its_own_role(stack: Resolved) -> None:
    functions = stack.of_type("AWS::Lambda::Function").values()

    assert sorted(function["Role"]["Fn::GetAtt"][0] for function in functions) == sorted(GRANTED)


@pytest.mark.parametrize("role", GRANTED)
def test_a_role_may_do_what_its_function_does_and_no_more(stack: Resolved, role: str) -> None:
    assert _granted(stack, role) == GRANTED[role]
    assert stack.properties(role)["ManagedPolicyArns"] == [{"Ref": "NetworkPolicy"}]
    assert [s["Principal"] for s in stack.properties(role)["AssumeRolePolicyDocument"]["Statement"]] == [
        {"Service": "lambda.amazonaws.com"}
    ]


@pytest.mark.parametrize("role", GRANTED)
def test_with_a_vector_bucket_a_role_also_has_its_rights_there(with_vectors: Resolved, role: str) -> None:
    assert _granted(with_vectors, role) == GRANTED[role] | GRANTED_WITH_VECTORS[role]


def _granted(stack: Resolved, role: str) -> dict[str, Any]:
    granted: dict[str, Any] = {}
    for name, statement in stack.statements():
        if name == role:
            assert statement["Effect"] == "Allow"
            for action in _listed(statement["Action"]):
                resources = _listed(granted.get(action, [])) + _listed(statement["Resource"])
                granted[action] = resources[0] if len(resources) == 1 else resources
    return granted


@pytest.mark.parametrize(("role", "prefix"), [("ReconcileRole", "faces/*"), ("CompactRole", "segments/*")])
def test_a_scheduled_function_lists_its_own_prefix_only(stack: Resolved, role: str, prefix: str) -> None:
    [listing] = [s for name, s in stack.statements() if name == role and s["Action"] == "s3:ListBucket"]

    assert listing["Condition"] == {"StringLike": {"s3:prefix": [prefix]}}


def test_only_a_database_that_pauses_has_marks_of_changes(template: dict[str, Any]) -> None:
    aurora = Resolved(template, {"DatabaseKind": "aurora-serverless"})

    marks = f"{MARKS}/*"
    for role, granted in GRANTED.items():
        more: dict[str, Any] = {}
        for action, resources in _granted(aurora, role).items():
            before = _listed(granted.get(action, []))
            more |= {action: [each for each in _listed(resources) if each not in before]}
        of_s3 = {action: each for action, each in more.items() if action.startswith("s3:") and each}
        puts = {"s3:PutObject": [marks]} if role in ("ApiRole", "ReEmbedRole", "ImportRole", "MigrateRole") else {}
        work = {"CompactRole": "compact", "ReconcileRole": "reconcile"}.get(role)
        deletes = {"s3:DeleteObject": [f"{MARKS}/{work}/*"]} if work else {}
        assert of_s3 == puts | deletes
    for role, own, other in (("ReconcileRole", "reconcile", "faces/*"), ("CompactRole", "compact", "segments/*")):
        [listing] = [s for name, s in aurora.statements() if name == role and s["Action"] == "s3:ListBucket"]
        assert listing["Condition"]["StringLike"]["s3:prefix"] == [other, f"changes/{own}/*"]


def test_all_resources_are_allowed_only_for_actions_without_resource_permissions(
    stack: Resolved, with_proxy: Resolved, with_vectors: Resolved, with_extras: Resolved
) -> None:
    for resolved in (stack, with_proxy, with_vectors, with_extras):
        for name, statement in resolved.statements():
            assert "NotResource" not in statement
            assert "NotAction" not in statement
            if statement["Effect"] == "Deny":
                continue
            assert not [action for action in _listed(statement["Action"]) if "*" in action], name
            if "*" in _listed(statement["Resource"]):
                assert set(statement["Action"]) <= CANNOT_BE_NAMED, name


def test_function_code_may_not_change_the_network_that_lambda_creates(stack: Resolved) -> None:
    statements = [statement for name, statement in stack.statements() if name == "NetworkPolicy"]

    assert [statement["Effect"] for statement in statements] == ["Allow", "Allow", "Deny"]
    assert statements[0]["Resource"] == f"{ARN}ec2:eu-central-1:${{AWS::AccountId}}:*/*"
    assert (statements[2]["Action"], statements[2]["Resource"]) == ("ec2:*", "*")
    [(operator, keys)] = statements[2]["Condition"].items()
    assert (operator, list(keys)) == ("ArnLike", ["lambda:SourceFunctionArn"])


def test_with_a_proxy_functions_connect_as_a_user_of_the_proxy(template: dict[str, Any], with_proxy: Resolved) -> None:
    proxy = {"Fn::Select": [6, {"Fn::Split": [":", {"Fn::GetAtt": ["Proxy", "DBProxyArn"]}]}]}
    aurora = {
        "Fn::If": ["AuroraIsCreated", {"Fn::GetAtt": ["Aurora", "DBClusterResourceId"]}, {"Ref": "DatabaseResourceId"}]
    }
    direct = {"Fn::If": ["RdsIsCreated", {"Fn::GetAtt": ["Database", "DbiResourceId"]}, aurora]}
    for name in GRANTED.keys() - {"MigrateRole"}:
        policy = template["Resources"][name.replace("Role", "Policy")]["Properties"]
        [connect] = [s for s in policy["PolicyDocument"]["Statement"] if s.get("Action") == "rds-db:connect"]
        assert connect["Resource"]["Fn::Sub"][1] == {"Server": {"Fn::If": ["ProxyIsUsed", proxy, direct]}}
    proxied = [statement for name, statement in with_proxy.statements() if name == "ProxyRole"]
    assert [statement["Resource"] for statement in proxied] == [
        f"{ARN}rds-db:eu-central-1:${{AWS::AccountId}}:dbuser:${{Database.DbiResourceId}}/face_search"
    ]


def test_the_only_aws_managed_policy_is_for_the_accounts_api_logs(stack: Resolved) -> None:
    of_aws = {
        name: role["ManagedPolicyArns"]
        for name, role in stack.of_type("AWS::IAM::Role").items()
        if role.get("ManagedPolicyArns", []) != [{"Ref": "NetworkPolicy"}]
    }

    assert of_aws == {
        "ApiLogsRole": [f"{ARN}iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"],
    }
