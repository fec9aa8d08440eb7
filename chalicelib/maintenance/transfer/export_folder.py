"""An archive's files in S3, under a prefix of the crops' bucket that expires."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from chalicelib.maintenance.transfer.errors import too_large
from chalicelib.stores.aws.sdk import faults_translated

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PREFIX = "exports/"  # infra/deploy/template/resources.yaml lets what is under it expire

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}", re.ASCII)


class ExportFolder:
    """A Container under a name of letters, digits, _, . and -.

    Every method raises ServiceError as those of CropStore do.

    Parameters
    ----------
    client
        A boto3 client of S3.
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
