"""Stores an archive's files in S3, under a prefix of the crops' bucket with expiring objects."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from chalicelib.maintenance.transfer.errors import too_large
from chalicelib.stores.aws.sdk import faults_translated

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PREFIX = "exports/"  # infra/deploy/template/resources.yaml expires objects with this prefix

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}", re.ASCII)


class ExportFolder:
    """A Container in S3; its name has letters, digits, _, . and -, and must satisfy `is_name`.

    `read`, `write` and `delete` raise ServiceError as CropStore does.

    Parameters
    ----------
    client
        An S3 client.
    """

    def __init__(self, client: S3Client, bucket: str, name: str) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = f"{PREFIX}{name}/"

    @staticmethod
    def is_name(name: str) -> bool:
        return _NAME.fullmatch(name) is not None

    def read(self, name: str, limit: int) -> bytes | None:
        with faults_translated():
            try:
                reply = self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)
            except self._client.exceptions.NoSuchKey:
                return None
            if reply["ContentLength"] > limit:
                raise too_large(name, limit)
            return reply["Body"].read()

    def write(self, name: str, data: bytes) -> None:
        with faults_translated():
            self._client.put_object(Bucket=self._bucket, Key=self._prefix + name, Body=data)

    def delete(self, name: str) -> None:
        with faults_translated():
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + name)
