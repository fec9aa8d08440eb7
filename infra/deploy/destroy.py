"""Runs `make destroy`: deletes a stage from AWS, and lists everything that remains."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from infra.deploy import next_steps, vector_bucket
from infra.deploy.account import CONFIG, Account, explained, sign_in
from infra.deploy.artifacts import bucket_name
from infra.deploy.errors import DeployError
from infra.deploy.stack import GONE, Stack, stack_name

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SERVER, CLUSTER = "AWS::RDS::DBInstance", "AWS::RDS::DBCluster"
BUCKET = "AWS::S3::Bucket"
# The buckets that `--data delete` deletes, by logical id, and what they contain. A bucket of CloudTrail's events stays.
CONTENTS = {"CropsBucket": "crops", "IncomingBucket": "incoming pictures"}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m infra.deploy.destroy", description=__doc__)
    parser.add_argument("stage")
    parser.add_argument("--confirm", default="", help="repeat the stage's name to skip the prompt")
    parser.add_argument("--data", choices=("keep", "delete"), default="keep", help="keep or delete the pictures")
    options = parser.parse_args(arguments)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    try:
        account = sign_in()
        with explained():
            destroy(options.stage, account, confirm=options.confirm, delete_data=options.data == "delete")
    except DeployError as error:
        sys.exit(f"Not destroyed: {error}.")
    except KeyboardInterrupt:
        sys.exit("\nInterrupted. CloudFormation continues at AWS: `make destroy` waits for it.")


def destroy(stage: str, account: Account, *, confirm: str, delete_data: bool) -> None:
    """Delete the stack after confirmation, and the crops and incoming pictures if `delete_data`.

    Raises
    ------
    DeployError
        When the deletion is not confirmed, the database is protected, or a resource cannot be deleted.
    """
    stack = Stack(account.session.client("cloudformation", config=CONFIG), stack_name(stage))
    found = stack.describe()
    if found is None:
        print(f"There is no stack {stack.name} in account {account.id}, region {account.region}.")
        return
    stack = Stack(stack.client, found["StackId"])  # a deleted stack is found only by its id
    # Read from the resources, because a stack has no outputs if its first deployment failed.
    buckets = {what: name for logical, what in CONTENTS.items() for name in stack.resources(BUCKET, logical)}
    vectors = stack.resources(vector_bucket.TYPE)
    clusters = stack.resources(CLUSTER)
    # A cluster has the data, the protection and the snapshots of its servers.
    servers = [] if clusters else stack.resources(SERVER)
    _refuse_protected(account, servers, clusters, stage)
    lost = ", the vector indexes" if vectors else ""
    chosen = {each.get("ParameterKey"): each.get("ParameterValue") for each in found.get("Parameters", [])}
    own = chosen.get("DatabaseKind") == "existing"
    lost += "; your own database stays as it is" if own else ", and the database except for a final snapshot"
    _confirm(stage, account, buckets, lost, confirm, delete_data=delete_data)
    if (status := stack.idle()) != GONE:
        before = stack.newest_event()
        stack.client.delete_stack(StackName=stack.name)
        print("Deleting. The functions' network interfaces alone may take half an hour.")
        status = stack.follow(before)
    if status != GONE:
        print("\nFailures, earliest first:", *next_steps.told(stack.failures()), sep="\n")
        raise DeployError(
            f"some resources remain ({status}): resolve the failures, and run `make destroy STAGE={stage}` again"
        )
    print(f"Deleted the stack {found['StackName']}.")
    for bucket in vectors:
        name = vector_bucket.delete(account.session.client("s3vectors", config=CONFIG), bucket)
        print(f"Deleted the vector bucket {name} with all its indexes.")
    if delete_data:
        for what, bucket in buckets.items():
            _delete_bucket(account.session.client("s3", config=CONFIG), bucket, account.id)
            print(f"Deleted the bucket {bucket} with all {what}.")
        buckets = {}
    _print_what_remains(account, buckets, servers, clusters)


def _refuse_protected(account: Account, servers: Sequence[str], clusters: Sequence[str], stage: str) -> None:
    """Fail if a database is protected, before anything is deleted.

    CloudFormation would notice the protection only after deleting everything else.
    """
    rds: Any = account.session.client("rds", config=CONFIG)
    found: list[dict[str, Any]] = []
    for database in servers:
        with suppress(rds.exceptions.DBInstanceNotFoundFault):
            found += rds.describe_db_instances(DBInstanceIdentifier=database)["DBInstances"]
    for database in clusters:
        with suppress(rds.exceptions.DBClusterNotFoundFault):
            found += rds.describe_db_clusters(DBClusterIdentifier=database)["DBClusters"]
    if any(each.get("DeletionProtection") for each in found):
        raise DeployError(
            f"the database {', '.join([*servers, *clusters])} is protected against deletion, and nothing was deleted. "
            f'To destroy it anyway, set DatabaseDeletionProtection = "false" in infra/deploy/stages/{stage}.toml and '
            f"run `make deploy STAGE={stage}`, then run this again"
        )


def _confirm(
    stage: str, account: Account, buckets: dict[str, str], lost: str, confirm: str, *, delete_data: bool
) -> None:
    fate = "deleted permanently, with their bucket" if delete_data else "kept in their bucket"
    pictures = [f"\nThe {what} in {bucket} are {fate}." for what, bucket in buckets.items()]
    print(
        f"This deletes stage {stage} of account {account.id}, region {account.region}: the API, its key and address, "
        f"the functions, the tokens{lost}.{''.join(pictures)}"
    )
    if not confirm and sys.stdin.isatty():
        with suppress(EOFError):
            confirm = input("Type the stage's name to continue: ").strip()
    if confirm != stage:
        raise DeployError(
            f"the deletion was not confirmed, and nothing was deleted. CONFIRM={stage} confirms it without a prompt"
        )


def _delete_bucket(s3: S3Client, bucket: str, owner: str) -> None:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, ExpectedBucketOwner=owner):
        if keys := [entry["Key"] for entry in page.get("Contents", [])]:
            answer = s3.delete_objects(
                Bucket=bucket,
                ExpectedBucketOwner=owner,
                Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True},
            )
            if errors := answer.get("Errors"):
                raise DeployError(
                    f"{len(errors)} pictures could not be deleted, the first with {errors[0].get('Code')}: "
                    f"run `aws s3 rb s3://{bucket} --force` to try again"
                )
    s3.delete_bucket(Bucket=bucket, ExpectedBucketOwner=owner)


def _print_what_remains(
    account: Account, buckets: dict[str, str], servers: Sequence[str], clusters: Sequence[str]
) -> None:
    region = account.region
    print("\nThese remain, at a small cost, until you delete them:")
    for what, bucket in buckets.items():
        print(f"  {f'the {what}:':24} aws s3 rb s3://{bucket} --force --region {region}")
    kinds = (("db", "DB", "instance", servers), ("db-cluster", "DBCluster", "cluster", clusters))
    for command, field, kind, databases in kinds:
        for database in databases:
            print(
                f"  the database's snapshot: aws rds describe-{command}-snapshots --snapshot-type manual "
                f"--db-{kind}-identifier {database} --query '{field}Snapshots[].{field}SnapshotIdentifier' "
                f"--region {region}\n"
                f"                           aws rds delete-{command}-snapshot --{command}-snapshot-identifier NAME "
                f"--region {region}"
            )
    print(f"  all stages' artifacts:   aws s3 rb s3://{bucket_name(account)} --force --region {region}")


if __name__ == "__main__":
    main()
