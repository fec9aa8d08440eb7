"""The documented permissions of a deployment, against the template and CloudFormation's schemas."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import botocore.session
from botocore import xform_name

from infra.deploy import permissions
from tests.template.resolved import Template

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "deploying.md"
# Methods of clients whose actions have other names, or that need an action of another service.
ACTIONS = {
    "get_api_keys": "apigateway:GET",
    "get_rest_apis": "apigateway:GET",
    "get_api_key": "apigateway:GET",
    "function_active_v2": "lambda:GetFunction",
    "invoke": "lambda:InvokeFunction",
    "bucket_exists": "s3:ListBucket",
    "head_bucket": "s3:ListBucket",
    "list_objects_v2": "s3:ListBucket",
    "head_object": "s3:GetObject",
    "upload_file": "s3:PutObject",
    "delete_objects": "s3:DeleteObject",
    "put_bucket_encryption": "s3:PutEncryptionConfiguration",
    "put_bucket_lifecycle_configuration": "s3:PutLifecycleConfiguration",
    "put_public_access_block": "s3:PutBucketPublicAccessBlock",
}


def test_the_page_contains_the_table() -> None:
    assert permissions.permissions_table() in PAGE.read_text("utf-8")


def test_the_table_covers_every_type_of_the_template(whole: Template) -> None:
    assert permissions.types() == {resource["Type"] for resource in whole["Resources"].values()}


def test_every_action_of_the_handlers_is_required_or_known_to_be_unused() -> None:
    actions = permissions.handlers_actions(permissions.types())
    required = {f"{service}:{name}" for service, names in permissions.required().items() for name in names}

    assert {"s3:CreateBucket", "s3:PutBucketTagging", "s3:PutBucketOwnershipControls"} <= required
    unused = actions - required
    assert {
        pattern for pattern in permissions.UNUSED if not any(fnmatch(action, pattern) for action in unused)
    } == set()
    assert {action for action in unused if not any(fnmatch(action, pattern) for pattern in permissions.UNUSED)} == set()
    assert [action for action in required if "*" in action] == []


def test_a_new_type_needs_its_actions() -> None:
    assert {"sqs:CreateQueue", "sqs:DeleteQueue"} <= permissions.handlers_actions(["AWS::SQS::Queue"])


def _called() -> Iterator[tuple[str, str]]:
    """Yield every method, paginator and waiter in infra/deploy, and every service that it makes a client for."""
    for file in (ROOT / "infra" / "deploy").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                first = node.args[0] if node.args else None
                if node.func.attr in ("client", "get_paginator", "get_waiter") and isinstance(first, ast.Constant):
                    yield ("service" if node.func.attr == "client" else "method"), str(first.value)
                else:
                    yield "method", node.func.attr


def test_every_call_of_the_commands_is_in_the_table() -> None:
    found = set(_called())
    session = botocore.session.get_session()
    actions = {method: {action} for method, action in ACTIONS.items()}
    for service in {name for kind, name in found if kind == "service"}:
        for operation in session.get_service_model(service).operation_names:
            prefix = permissions.PREFIXES.get(service, service)
            if xform_name(operation) not in ACTIONS:
                actions.setdefault(xform_name(operation), set()).add(f"{prefix}:{operation}")
    required = {f"{service}:{name}" for service, names in permissions.required().items() for name in names}

    methods = {name for kind, name in found if kind == "method" and name in actions}
    assert {"create_change_set", "get_caller_identity", "upload_file"} <= methods
    assert {method for method in methods if not actions[method] & required} == set()
