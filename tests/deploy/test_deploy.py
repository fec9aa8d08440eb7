"""`python -m infra.deploy` against moto's server, without failures."""

from __future__ import annotations

import re

from tests.deploy.conftest import PASSWORD, REGION, S3_CALLS, STACK, STAGES, Operator, operator_of
from tests.deploy.vector_buckets import VECTOR_BUCKET, indexed


def test_a_deployment_uploads_creates_migrates_and_shows_how_to_call_the_api(operator: Operator) -> None:
    printed = operator.deployed()

    assert operator.stack.status == "CREATE_COMPLETE"
    assert {re.sub("-[0-9a-f]{64}", "", key) for key in operator.uploaded()} == {
        "function.zip",
        "deps.zip",
        "models.zip",
        "template.json",
    }
    assert "Database: the schema is at version 3." in printed
    api = operator.client("apigateway").get_rest_apis()["items"][0]["id"]
    url = f"https://{api}.execute-api.{REGION}.amazonaws.com/api"
    assert (
        f"aws apigateway get-api-key --api-key abcdefghij --include-value --query value --output text --region {REGION}"
        in (printed)
    )
    assert f'curl -H "x-api-key: $KEY" -F image_file=@photo.jpg {url}/detect' in printed
    assert "Dashboard: https://console.aws.amazon.com/cloudwatch" in printed


def test_only_the_migration_receives_the_master_user(operator: Operator) -> None:
    done = operator.deploy()

    assert operator.events == [{"administrator": {"user": "master", "password": PASSWORD}}]
    assert PASSWORD not in done.stdout + done.stderr


def test_an_answer_that_repeats_the_event_is_not_printed(operator: Operator) -> None:
    operator.answer = {"administrator": {"user": "master", "password": PASSWORD}}

    assert PASSWORD not in operator.deployed()


def test_without_changes_a_deployment_only_migrates(operator: Operator) -> None:
    operator.deployed()
    before = operator.uploaded()

    printed = operator.deployed()

    assert operator.uploaded() == before
    assert printed.count("already uploaded") == 3
    assert "The stack is up to date." in printed
    assert len(operator.events) == 2
    change_sets = operator.client("cloudformation").list_change_sets(StackName=STACK)["Summaries"]
    assert [change_set["Status"] for change_set in change_sets] == ["CREATE_COMPLETE"]


def test_only_a_changed_function_is_uploaded(operator: Operator) -> None:
    operator.deployed()
    before = operator.uploaded()
    operator.package(function="another function")

    printed = operator.deployed()

    fresh = operator.uploaded().keys() - before.keys()
    assert [re.sub("-[0-9a-f]{64}", "", key) for key in fresh] == ["function.zip"]
    assert printed.count("already uploaded") == 2
    assert operator.stack.parameters["FunctionKey"] in fresh


def test_the_stages_parameters_are_passed_to_the_stack(operator: Operator) -> None:
    operator.deployed()
    assert operator.stack.parameters["Greeting"] == "hello"
    (operator.root / STAGES / "dev.toml").write_text('[parameters]\nGreeting = "good day"\n')

    printed = operator.deployed()

    assert "up to date" not in printed
    assert operator.stack.parameters["Greeting"] == "good day"


def test_a_parameter_removed_from_the_stage_returns_to_its_default(operator: Operator) -> None:
    operator.deployed()
    (operator.root / STAGES / "dev.toml").write_text("")

    operator.deployed()

    assert "Greeting" not in operator.stack.parameters


def test_the_artifact_bucket_is_private_and_encrypted(operator: Operator) -> None:
    operator.deployed()

    s3, bucket = operator.client("s3"), f"face-search-artifacts-{operator.account}-{REGION}"
    access = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert all(access.values())
    assert len(access) == 4
    rule = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    lifecycle = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert [rule["AbortIncompleteMultipartUpload"] for rule in lifecycle] == [{"DaysAfterInitiation": 1}]


def test_us_east_1_is_deployed_to_without_a_location_constraint(operator: Operator) -> None:
    done = operator.deploy(AWS_REGION="us-east-1")

    # The master user's secret is in the other region, and every step before it succeeded.
    assert "Creating 8 resources" in done.stdout
    assert "GetSecretValue failed" in done.stderr


def test_two_stages_share_only_the_bucket(operator: Operator) -> None:
    operator.deployed()
    for folder, suffix in ((operator.root / STAGES, ".toml"), (operator.root / "build" / "package", "")):
        (folder / f"dev{suffix}").rename(folder / f"other{suffix}")
    listed = operator.root / "build" / "package" / "other" / "artifacts.json"
    listed.write_text(listed.read_text().replace("/dev/", "/other/"))

    done = operator.run("other")

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("already uploaded") == 3
    stacks = operator.client("cloudformation").describe_stacks()["Stacks"]
    assert {stack["StackName"] for stack in stacks} == {"face-search-dev", "face-search-other"}


def test_a_check_changes_nothing(operator: Operator) -> None:
    done = operator.deploy("--check")

    assert done.returncode == 0
    assert operator.client("s3").list_buckets()["Buckets"] == []


def test_a_bucket_in_another_account_is_not_written_to(operator: Operator, moto_url: str) -> None:
    other = operator_of(moto_url, operator.root, "999999999999")
    bucket = f"face-search-artifacts-{operator.account}-{REGION}"
    other.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})

    done = operator.deploy()

    assert done.returncode == 1
    assert f"the bucket {bucket} belongs to another account" in done.stderr
    assert other.client("s3").list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_every_s3_call_except_the_creation_names_the_owner(operator: Operator) -> None:
    S3_CALLS.clear()

    operator.deployed()

    owners = [(method, owner) for method, _, owner in S3_CALLS if owner != operator.account]
    assert owners == [("PUT", None)]
    assert len(S3_CALLS) > 10


def test_an_unused_vector_bucket_is_deleted(operator: Operator) -> None:
    operator.change_template(VectorBucket=VECTOR_BUCKET)
    operator.deployed()
    client, bucket = indexed(operator)
    operator.change_template(VectorBucket=None)

    printed = operator.deployed()

    assert f"Deleted the vector bucket {bucket} with all its indexes: the stage no longer uses it." in printed
    assert client.list_vector_buckets()["vectorBuckets"] == []
