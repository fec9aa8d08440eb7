"""Files of an archive in S3."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chalicelib.maintenance.transfer.errors import ArchiveError
from chalicelib.maintenance.transfer.export_folder import ExportFolder

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def test_a_file_larger_than_the_limit_is_refused_before_it_is_read(s3: S3Client, crops_bucket: str) -> None:
    folder = ExportFolder(s3, crops_bucket, "faces")
    folder.write("part", b"0123456789")

    assert folder.read("part", 10) == b"0123456789"
    with pytest.raises(ArchiveError):
        folder.read("part", 9)


def test_a_missing_file_is_none_and_can_be_deleted(s3: S3Client, crops_bucket: str) -> None:
    folder = ExportFolder(s3, crops_bucket, "faces")

    folder.delete("part")

    assert folder.read("part", 10) is None
