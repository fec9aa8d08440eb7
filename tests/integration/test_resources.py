"""The local stack's table and bucket match those in resources.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.local import resources
from tests.conftest import RESOURCES_FILE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


def test_tokens_expire(dynamodb: DynamoDBClient, tokens_table: str) -> None:
    assert dynamodb.describe_time_to_live(TableName=tokens_table)["TimeToLiveDescription"] == {
        "TimeToLiveStatus": "ENABLED",
        "AttributeName": "expires_at",
    }


def test_only_temporary_crops_and_exports_expire(s3: S3Client, crops_bucket: str) -> None:
    rules = s3.get_bucket_lifecycle_configuration(Bucket=crops_bucket)["Rules"]

    assert [(rule["Filter"]["Prefix"], rule["Expiration"]["Days"]) for rule in rules if "Expiration" in rule] == [
        ("temporary/", 2),
        ("exports/", 7),
    ]
    assert [rule["AbortIncompleteMultipartUpload"] for rule in rules if "Expiration" not in rule] == [
        {"DaysAfterInitiation": 1}
    ]


def test_creating_existing_resources_changes_nothing(
    dynamodb: DynamoDBClient, s3: S3Client, tokens_table: str, crops_bucket: str
) -> None:
    dynamodb.put_item(TableName=tokens_table, Item={"face_token": {"S": "kept"}})
    s3.put_object(Bucket=crops_bucket, Key="kept", Body=b"")

    resources.create(RESOURCES_FILE, dynamodb, s3, table_name=tokens_table, bucket_name=crops_bucket)

    assert "Item" in dynamodb.get_item(TableName=tokens_table, Key={"face_token": {"S": "kept"}})
    assert s3.list_objects_v2(Bucket=crops_bucket)["KeyCount"] == 1
