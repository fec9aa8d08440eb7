"""`python -m infra.deploy.destroy` against moto's server."""

from __future__ import annotations

import json

import pytest

from infra.deploy import destroy, vector_bucket
from infra.deploy.account import Account
from infra.deploy.errors import DeployError
from tests.deploy.conftest import REGION, STAGES, Operator
from tests.deploy.vector_buckets import VECTOR_BUCKET, indexed


def crops_bucket(operator: Operator) -> str:
    stack = operator.client("cloudformation").describe_stacks(StackName="face-search-dev")["Stacks"][0]
    bucket = next(output["OutputValue"] for output in stack["Outputs"] if output["OutputKey"] == "CropsBucketName")
    for number in range(3):
        operator.client("s3").put_object(Bucket=bucket, Key=f"faces/{number}.jpg", Body=b"a crop")
    return str(bucket)


def stacks(operator: Operator) -> list[str]:
    return [stack["StackName"] for stack in operator.client("cloudformation").describe_stacks()["Stacks"]]


@pytest.mark.parametrize("confirm", [(), ("--confirm", "prod")])
def test_nothing_is_deleted_without_confirmation(operator: Operator, confirm: tuple[str, ...]) -> None:
    operator.deployed()

    done = operator.destroy(*confirm)

    assert done.returncode == 1
    assert f"This deletes stage dev of account {operator.account}, region {REGION}" in done.stdout
    assert "the deletion was not confirmed, and nothing was deleted. CONFIRM=dev confirms it" in done.stderr
    assert stacks(operator) == ["face-search-dev"]


def test_crops_are_kept_and_the_output_shows_how_to_delete_them(operator: Operator) -> None:
    operator.deployed()
    bucket = crops_bucket(operator)

    done = operator.destroy("--confirm", "dev")

    assert done.returncode == 0, done.stderr
    assert stacks(operator) == []
    assert operator.client("dynamodb").list_tables()["TableNames"] == []
    assert f"aws s3 rb s3://{bucket} --force" in done.stdout
    assert f"aws s3 rb s3://face-search-artifacts-{operator.account}-{REGION} --force" in done.stdout
    assert operator.client("s3").list_objects_v2(Bucket=bucket)["KeyCount"] == 3


def test_crops_are_deleted_on_request(operator: Operator) -> None:
    operator.deployed()
    bucket = crops_bucket(operator)

    done = operator.destroy("--confirm", "dev", "--data", "delete")

    assert done.returncode == 0, done.stderr
    assert f"Deleted the bucket {bucket} with all crops." in done.stdout
    kept = [entry["Name"] for entry in operator.client("s3").list_buckets()["Buckets"]]
    assert kept == [f"face-search-artifacts-{operator.account}-{REGION}"]


def test_of_several_buckets_only_those_with_pictures_are_deleted(operator: Operator) -> None:
    bucket = {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain"}
    operator.change_template(CropEventsBucket=bucket, IncomingBucket=bucket)
    operator.deployed()
    crops_bucket(operator)

    done = operator.destroy("--confirm", "dev", "--data", "delete")

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("with all crops.") == done.stdout.count("with all incoming pictures.") == 1
    kept = [entry["Name"] for entry in operator.client("s3").list_buckets()["Buckets"]]
    assert [name for name in kept if "artifacts" not in name] != []
    assert all("artifacts" in name or "cropevents" in name for name in kept)


@pytest.mark.parametrize("protected", [True, False])
def test_a_protected_database_stops_the_deletion_before_it_starts(operator: Operator, protected: bool) -> None:
    operator.change_template(
        Database={
            "Type": "AWS::RDS::DBInstance",
            "Properties": {
                "DBInstanceClass": "db.t4g.micro",
                "DBInstanceIdentifier": "faces",
                "Engine": "mysql",
                "AllocatedStorage": "20",
                "MasterUsername": "master",
                "MasterUserPassword": "of-moto-only",
            },
        }
    )
    operator.deployed()
    # moto does not read this property from a template.
    operator.client("rds").modify_db_instance(DBInstanceIdentifier="faces", DeletionProtection=protected)

    done = operator.destroy("--confirm", "dev")

    if protected:
        assert done.returncode == 1
        assert "the database faces is protected against deletion, and nothing was deleted" in done.stderr
        assert "infra/deploy/stages/dev.toml" in done.stderr
        assert stacks(operator) == ["face-search-dev"]
    else:
        assert done.returncode == 0, done.stderr
        assert "--db-instance-identifier faces" in done.stdout


@pytest.mark.parametrize("protected", [True, False])
def test_a_cluster_is_protected_and_leaves_a_snapshot_as_a_whole(
    operator: Operator, protected: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """moto's CloudFormation has no clusters, so this calls the parts of the command."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", operator.endpoint)
    operator.client("rds").create_db_cluster(
        DBClusterIdentifier="faces",
        Engine="aurora-mysql",
        MasterUsername="master",
        MasterUserPassword="of-moto-only",
        DeletionProtection=protected,
    )
    account = Account(operator.session, operator.account, "aws", REGION)

    destroy._refuse_protected(account, [], ["gone"], "dev")
    if protected:
        with pytest.raises(DeployError, match="the database faces is protected against deletion"):
            destroy._refuse_protected(account, [], ["faces"], "dev")
    else:
        destroy._refuse_protected(account, [], ["faces"], "dev")
    destroy._print_what_remains(account, {}, [], ["faces"])
    assert (
        "describe-db-cluster-snapshots --snapshot-type manual --db-cluster-identifier faces" in capsys.readouterr().out
    )


def test_an_own_database_is_left_alone(operator: Operator) -> None:
    template = operator.root / "build" / "package" / "dev" / "template.json"
    whole = json.loads(template.read_text())
    whole["Parameters"]["DatabaseKind"] = {"Type": "String", "Default": "rds"}
    template.write_text(json.dumps(whole))
    file = operator.root / STAGES / "dev.toml"
    file.write_text(file.read_text() + 'DatabaseKind = "existing"\n')
    operator.deployed()

    done = operator.destroy("--confirm", "dev")

    assert "the functions, the tokens; your own database stays as it is." in done.stdout
    assert "snapshot" not in done.stdout


def test_the_vector_bucket_is_deleted_with_its_indexes(operator: Operator) -> None:
    operator.change_template(VectorBucket=VECTOR_BUCKET)
    operator.deployed()
    client, bucket = indexed(operator)

    done = operator.destroy("--confirm", "dev")

    assert done.returncode == 0, done.stderr
    assert "the tokens, the vector indexes, and the database" in done.stdout
    assert f"Deleted the vector bucket {bucket} with all its indexes." in done.stdout
    assert client.list_vector_buckets()["vectorBuckets"] == []


def test_a_vector_bucket_is_found_by_arn_or_name_and_may_be_gone(operator: Operator) -> None:
    client = operator.client("s3vectors")
    for known_by in (f"arn:aws:s3vectors:{REGION}:{operator.account}:bucket/the-faces", "the-faces"):
        client.create_vector_bucket(vectorBucketName="the-faces")
        for _ in range(2):
            assert vector_bucket.delete(client, known_by) == "the-faces"
            assert client.list_vector_buckets()["vectorBuckets"] == []


def test_destroying_a_missing_stack_succeeds(operator: Operator) -> None:
    done = operator.destroy("--confirm", "dev")

    assert done.returncode == 0
    assert f"There is no stack face-search-dev in account {operator.account}, region {REGION}." in done.stdout


def test_a_failed_deletion_names_the_failed_resource(operator: Operator) -> None:
    operator.deployed()

    def delete(name_or_stack_id: str) -> None:
        stack = operator.stack
        stack._add_stack_event("DELETE_IN_PROGRESS", resource_status_reason="User Initiated")
        stack._add_stack_event("DELETE_FAILED", resource_status_reason="The subnet has dependencies")
        stack.status = "DELETE_FAILED"

    operator.backend.delete_stack = delete

    done = operator.destroy("--confirm", "dev")

    assert done.returncode == 1
    assert "The subnet has dependencies" in done.stdout
    assert "run `make destroy STAGE=dev` again" in done.stderr
