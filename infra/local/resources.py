"""Creates the table and buckets on any endpoint, as CloudFormation does from resources.yaml when deployed."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3vectors import S3VectorsClient

FILE = Path(__file__).parents[1] / "deploy" / "template" / "resources.yaml"


def create(resources_file: Path, dynamodb: DynamoDBClient, s3: S3Client, *, table_name: str, bucket_name: str) -> None:
    """Create the table and the bucket unless they exist, and set their expiry rules.

    Encryption, backups and access rules exist only when deployed.
    """
    resources = yaml.safe_load(resources_file.read_text(encoding="utf-8"))["Resources"]
    _create_table(dynamodb, table_name, resources["TokensTable"]["Properties"])
    _create_bucket(s3, bucket_name, resources["CropsBucket"]["Properties"])


def create_vector_bucket(client: S3VectorsClient, name: str) -> None:
    """Create the vector bucket unless it exists; the service creates its indexes."""
    with suppress(client.exceptions.ConflictException):
        client.create_vector_bucket(vectorBucketName=name)


def _create_table(client: DynamoDBClient, name: str, properties: dict[str, Any]) -> None:
    with suppress(client.exceptions.ResourceInUseException):
        client.create_table(
            TableName=name,
            BillingMode=properties["BillingMode"],
            AttributeDefinitions=properties["AttributeDefinitions"],
            KeySchema=properties["KeySchema"],
        )
    client.get_waiter("table_exists").wait(TableName=name)
    # DynamoDB fails when TTL is already enabled.
    status = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"].get("TimeToLiveStatus")
    if status not in ("ENABLED", "ENABLING"):
        client.update_time_to_live(TableName=name, TimeToLiveSpecification=properties["TimeToLiveSpecification"])


def _create_bucket(client: S3Client, name: str, properties: dict[str, Any]) -> None:
    region: Any = client.meta.region_name
    with suppress(client.exceptions.BucketAlreadyOwnedByYou):
        if region == "us-east-1":  # S3 accepts every region's name except this one
            client.create_bucket(Bucket=name)
        else:
            client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
    rules: Any = [_lifecycle_rule(rule) for rule in properties["LifecycleConfiguration"]["Rules"]]
    client.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})


def _lifecycle_rule(rule: dict[str, Any]) -> dict[str, Any]:
    """Return a CloudFormation lifecycle rule with the field names of S3's API."""
    translated = {"ID": rule["Id"], "Status": rule["Status"], "Filter": {"Prefix": rule.get("Prefix", "")}}
    if "ExpirationInDays" in rule:
        translated["Expiration"] = {"Days": rule["ExpirationInDays"]}
    if "AbortIncompleteMultipartUpload" in rule:
        translated["AbortIncompleteMultipartUpload"] = rule["AbortIncompleteMultipartUpload"]
    return translated
