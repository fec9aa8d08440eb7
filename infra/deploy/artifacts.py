"""Uploads the deployment's files to the bucket that CloudFormation reads, one for each account and region."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from infra.deploy.account import CONFIG, Account, error_code
from infra.deploy.errors import DeployError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ENCRYPTION = "AES256"


def bucket_name(account: Account) -> str:
    return f"face-search-artifacts-{account.id}-{account.region}"


class ArtifactBucket:
    """A bucket that stores each file under a key with its sha256, so that no file is uploaded twice.

    Calls name the account that must own the bucket: names are global, so another account may have taken this one.
    Files never expire, because CloudFormation needs the previous ones to roll back a failed update.
    """

    def __init__(self, account: Account) -> None:
        self.name = bucket_name(account)
        self._account = account
        self._s3: S3Client = account.session.client("s3", config=CONFIG)

    def ensure(self) -> None:
        """Create the bucket unless it exists, and make it private, encrypted and TLS-only.

        Raises
        ------
        DeployError
            When the bucket belongs to another account, or the credentials may not access it.
        """
        owner = self._account.id
        settings: Any = self._s3  # untyped, because the stubs do not accept these nested arguments
        if not self._is_there():
            self._create()
        settings.put_public_access_block(
            Bucket=self.name,
            ExpectedBucketOwner=owner,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "IgnorePublicAcls": True,
                "BlockPublicPolicy": True,
                "RestrictPublicBuckets": True,
            },
        )
        settings.put_bucket_encryption(
            Bucket=self.name,
            ExpectedBucketOwner=owner,
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": ENCRYPTION}}]
            },
        )
        if self._s3.meta.endpoint_url.startswith("https:"):  # over http, as with an AWS emulator, it would lock us out
            settings.put_bucket_policy(Bucket=self.name, ExpectedBucketOwner=owner, Policy=json.dumps(self._policy()))
        settings.put_bucket_lifecycle_configuration(
            Bucket=self.name,
            ExpectedBucketOwner=owner,
            LifecycleConfiguration={
                "Rules": [
                    {
                        "ID": "abort-unfinished-uploads",
                        "Status": "Enabled",
                        "Filter": {"Prefix": ""},
                        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                    }
                ]
            },
        )

    def upload(self, path: Path) -> tuple[str, bool]:
        """Upload a file unless the bucket has it; return its key, and whether it was uploaded now."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        key = f"{path.stem}-{digest}{path.suffix}"
        owner = self._account.id
        try:
            self._s3.head_object(Bucket=self.name, Key=key, ExpectedBucketOwner=owner)
        except ClientError as error:
            if error_code(error) not in ("404", "NoSuchKey"):
                raise
        else:
            return key, False
        columns = (TextColumn("  {task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, transient=True, disable=not sys.stdout.isatty()) as progress:
            task = progress.add_task(path.name, total=path.stat().st_size)
            self._s3.upload_file(
                str(path),
                self.name,
                key,
                ExtraArgs={"ExpectedBucketOwner": owner, "ChecksumAlgorithm": "SHA256"},
                Callback=lambda sent: progress.advance(task, sent),
            )
        return key, True

    def url(self, key: str) -> str:
        """Return a key's URL in the form that CloudFormation accepts for a template."""
        return f"{self._s3.meta.endpoint_url}/{self.name}/{key}"

    def _is_there(self) -> bool:
        try:
            self._s3.head_bucket(Bucket=self.name, ExpectedBucketOwner=self._account.id)
        except ClientError as error:
            if error_code(error) == "404":
                return False
            if error_code(error) == "403":
                raise DeployError(
                    f"the bucket {self.name} belongs to another account, or these credentials may not access it. "
                    "Nothing was uploaded. If another account owns it, report this to AWS and use another region "
                    "meanwhile"
                ) from error
            raise
        return True

    def _create(self) -> None:
        try:
            if self._account.region == "us-east-1":  # S3 accepts every region's name except this one
                self._s3.create_bucket(Bucket=self.name)
            else:
                place: Any = {"LocationConstraint": self._account.region}
                self._s3.create_bucket(Bucket=self.name, CreateBucketConfiguration=place)
        except self._s3.exceptions.BucketAlreadyOwnedByYou:
            pass  # another deployment created it at the same time
        except self._s3.exceptions.BucketAlreadyExists as error:
            raise DeployError(
                f"the bucket {self.name} belongs to another account. Nothing was uploaded. Report this to AWS and use "
                "another region meanwhile"
            ) from error
        self._s3.get_waiter("bucket_exists").wait(Bucket=self.name, ExpectedBucketOwner=self._account.id)

    def _policy(self) -> dict[str, object]:
        bucket = f"arn:{self._account.partition}:s3:::{self.name}"
        return {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "TlsOnly",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "s3:*",
                    "Resource": [bucket, f"{bucket}/*"],
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                }
            ],
        }
