"""The inbox in S3: reads the bucket's pictures, and writes the results beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chalicelib.incoming import paths
from chalicelib.incoming.inbox import TooLargeError
from chalicelib.stores.aws.sdk import error_code, faults_translated

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_FINGERPRINT = "picture"
_MISSING = ("404", "NoSuchKey", "NotFound")


class Bucket:
    """Pictures and results by key, in one bucket.

    Every method raises ServiceError: 503 when S3 cannot be reached or throttles, 500 when S3 refuses. The role needs
    s3:ListBucket; without it S3 answers 403 instead of 404 for a missing object.

    Parameters
    ----------
    client
        An S3 client.
    """

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def read(self, path: str, most_bytes: int) -> bytes | None:
        with faults_translated():
            try:
                reply = self._client.get_object(Bucket=self._bucket, Key=path)
            except self._client.exceptions.NoSuchKey:
                return None
            body = reply["Body"]
            if reply["ContentLength"] > most_bytes:
                body.close()
                raise TooLargeError
            return body.read()  # fails unless the body is complete

    def answered(self, path: str, fingerprint: str) -> bool:
        with faults_translated():
            try:
                head = self._client.head_object(Bucket=self._bucket, Key=paths.result_of(path))
            except self._client.exceptions.ClientError as error:
                if error_code(error) not in _MISSING:
                    raise
                return False
        return head["Metadata"].get(_FINGERPRINT) == fingerprint

    def write(self, path: str, fingerprint: str, body: bytes) -> None:
        with faults_translated():
            self._client.put_object(
                Bucket=self._bucket,
                Key=paths.result_of(path),
                Body=body,
                ContentType="application/json",
                Metadata={_FINGERPRINT: fingerprint},
            )
