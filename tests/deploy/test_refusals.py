"""Errors that stop a deployment before it changes anything, and their messages."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from infra.deploy.account import explained
from infra.deploy.errors import DeployError
from tests.deploy.conftest import REGION, Operator

NOBODY = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": ""}


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        (NOBODY, "there are no AWS credentials: run `aws configure` or `aws sso login`"),
        ({"AWS_SECRET_ACCESS_KEY": ""}, "there are no AWS credentials"),
        (NOBODY | {"AWS_PROFILE": "nowhere"}, "AWS_PROFILE= must be one of `aws configure list-profiles`"),
        ({"AWS_REGION": ""}, "no region is set: set AWS_REGION"),
        ({"AWS_REGION": "Frankfurt am Main"}, "Check the region"),
        ({"AWS_ENDPOINT_URL": "http://localhost:1"}, "Check the region and the network connection"),
    ],
)
def test_credentials_and_region_are_checked_first(operator: Operator, environment: dict[str, str], told: str) -> None:
    (operator.root / "build" / "package" / "dev" / "template.json").unlink()

    for arguments in ((), ("--check",)):
        done = operator.deploy(*arguments, **environment)

        assert done.returncode == 1
        assert done.stderr.startswith("Not deployed: ")
        assert told in done.stderr
        assert "Traceback" not in done.stderr


def test_an_image_in_another_region_is_refused_first(operator: Operator) -> None:
    uri = f"123456789012.dkr.ecr.us-west-2.amazonaws.com/face-search@sha256:{'0' * 64}"
    (operator.root / "infra" / "deploy" / "stages" / "dev.toml").write_text(f'[parameters]\nImageUri = "{uri}"\n')

    done = operator.deploy("--check")

    assert done.returncode == 1
    assert done.stderr == (
        f"Not deployed: the stage sets ImageUri to {uri}, but Lambda needs an image in its region, {REGION}.\n"
    )


def test_the_error_for_an_unknown_stage_names_the_file_to_write(operator: Operator) -> None:
    done = operator.run("staging")

    assert done.returncode == 1
    assert "Not deployed: there is no stage staging: create " in done.stderr
    assert "infra/deploy/stages/staging.toml, like those of dev" in done.stderr


@pytest.mark.parametrize("name", ["../dev", "Dev", "1st", "a" * 21, ""])
def test_a_stages_name_cannot_be_a_path(operator: Operator, name: str) -> None:
    assert "cannot be a stage's name" in operator.run(name).stderr


@pytest.mark.parametrize("name", ["template.json", "artifacts.json", "function.zip"])
def test_a_missing_package_is_named(operator: Operator, name: str) -> None:
    (operator.root / "build" / "package" / "dev" / name).unlink()

    done = operator.deploy()

    assert f"build/package/dev/{name} does not exist: run `make package STAGE=dev`" in done.stderr
    assert operator.client("s3").list_buckets()["Buckets"] == []


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("ExpiredToken", "the AWS credentials have expired: sign in again"),
        ("InvalidClientTokenId", "AWS rejected the credentials"),
        ("SignatureDoesNotMatch", "AWS rejected the credentials"),
        (
            "AccessDenied",
            "AWS refuses CreateChangeSet: User u may not. docs/deploying.md lists the rights that a deployment needs",
        ),
        ("ThrottlingException", "CreateChangeSet failed: User u may not (ThrottlingException)"),
    ],
)
def test_errors_from_aws_are_explained_in_plain_words(code: str, told: str) -> None:
    with pytest.raises(DeployError) as caught, explained():
        raise ClientError({"Error": {"Code": code, "Message": "User u may not"}}, "CreateChangeSet")

    assert told in str(caught.value)
