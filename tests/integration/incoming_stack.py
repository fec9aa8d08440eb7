"""The service with a bucket of incoming pictures, without S3's messages."""

from __future__ import annotations

import json
import os
import secrets
from typing import TYPE_CHECKING, Any

from chalicelib.faces import Terms
from chalicelib.incoming import paths
from chalicelib.incoming.messages import take_messages
from chalicelib.settings import Settings
from chalicelib.wiring import Wiring
from tests.incoming import arrived

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Stack:
    """The service with a bucket of incoming pictures."""

    def __init__(self, s3: S3Client, database_url: str, bucket: str, **settings: str) -> None:
        self.s3 = s3
        self.bucket = f"incoming-{secrets.token_hex(8)}"
        place: Any = {"LocationConstraint": s3.meta.region_name}
        s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration=place)
        self.environment = {
            **os.environ,
            "DATABASE_URL": database_url,
            "TOKENS_TABLE": bucket,
            "CROPS_BUCKET": bucket,
            "INCOMING_BUCKET": self.bucket,
            "GALLERY": "memory",
            "REQUEST_SECONDS": "600",
            **settings,
        }
        self.parts = Wiring(Settings.from_environment(self.environment))

    def put(self, path: str, picture: bytes) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=path, Body=picture)

    def take(self, path: str) -> str:
        """Send the message for a picture to the function."""
        return take_messages(self.parts, arrived(path))

    def file(self, path: str) -> bytes | None:
        """Return a picture's result file."""
        try:
            return self.s3.get_object(Bucket=self.bucket, Key=paths.result_of(path))["Body"].read()
        except self.s3.exceptions.NoSuchKey:
            return None

    def result(self, path: str) -> dict[str, Any]:
        file = self.file(path)
        assert file is not None
        read: dict[str, Any] = json.loads(file)
        return read

    def put_and_take(self, path: str, picture: bytes) -> dict[str, Any]:
        self.put(path, picture)
        self.take(path)
        return self.result(path)

    def matches(self, picture: bytes) -> list[tuple[str, str]]:
        """Return the tokens and names that a search with a picture finds."""
        found = self.parts.active_pack.answer(lambda service: service.search_picture(picture, Terms(0.65, 10)))
        return [(match.token, match.name) for match in found.result.matches]
