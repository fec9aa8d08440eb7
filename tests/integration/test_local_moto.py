"""moto does what the deployed DynamoDB and S3 do for the local stack: it stores crops and expires items."""

from __future__ import annotations

import gc
import os
import secrets
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from moto.core.common_models import BaseModel
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends
from moto.s3.models import s3_backends

from chalicelib.faces import TemporaryFace
from chalicelib.stores.aws.crops import Crop, CropStore
from chalicelib.stores.aws.tokens import TokenStore
from infra.local import moto_expiry
from infra.local.crop_mirror import CropMirror

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

HOUR, DAY = 3_600, 86_400


@pytest.fixture
def releasing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BaseModel, "__new__", BaseModel.__new__)  # restored after the test
    moto_expiry.release_the_deleted()


@pytest.mark.usefixtures("releasing")
def test_a_token_and_its_crop_leave_memory_when_they_expire(
    dynamodb: DynamoDBClient, s3: S3Client, tokens_table: str
) -> None:
    tokens, crops = TokenStore(dynamodb, tokens_table, HOUR), CropStore(s3, tokens_table)
    crops.save_temporary([Crop("a.jpg", b"temporary", None)])
    kept = crops.keep("a.jpg")
    assert kept is not None
    tokens.save([TemporaryFace("token", np.zeros(128, np.float32), "model", "a.jpg", tokens.expiry(), ())])
    items = dynamodb_backends[DEFAULT_ACCOUNT_ID][dynamodb.meta.region_name].tables[tokens_table].items
    objects = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[tokens_table].keys
    item, stored = weakref.ref(next(iter(items.values()))), weakref.ref(objects["temporary/a.jpg"])

    moto_expiry.expire(time.time())
    assert (len(items), len(objects)) == (1, 2)
    moto_expiry.expire(time.time() + HOUR + 1)
    assert (len(items), len(objects)) == (0, 2)
    moto_expiry.expire(time.time() + 2 * DAY + 1)

    assert list(objects) == [f"faces/{kept}"]
    assert crops.read(kept) is not None
    gc.collect()
    assert (item(), stored()) == (None, None)


class TestCropMirror:
    """Leftovers of a kill, and changes by other programs. For the rest see tests/e2e/test_restored_stack.py."""

    @pytest.fixture
    def bucket(self) -> str:
        return f"crops-{secrets.token_hex(8)}"

    def test_a_file_left_half_written_by_a_kill_is_removed(self, tmp_path: Path, bucket: str) -> None:
        whole = ("a.jpg", "a.landmarks", "a.detector", "b.jpg")
        for name in (*whole, "c.landmarks", "d.jpg.partial", "e.detector.partial"):
            (tmp_path / name).write_text("text")
        os.utime(tmp_path / "a.jpg", (HOUR, HOUR))

        CropMirror(tmp_path, bucket).restore()

        assert {path.name for path in tmp_path.iterdir()} == set(whole)
        objects = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[bucket].keys
        assert set(objects) == {"faces/a.jpg", "faces/b.jpg"}
        assert objects["faces/a.jpg"].last_modified.hour == 1
        assert objects["faces/a.jpg"].metadata["x-amz-meta-landmarks"] == "text"

    @pytest.mark.parametrize(
        ("key", "kept"),
        [
            ("faces/a-1.jpg", True),
            ("temporary/a.jpg", False),
            ("faces/../a.jpg", False),
            ("faces//a.jpg", False),
            ("faces/a.jpg/b.jpg", False),
            ("faces/a.txt", False),
        ],
    )
    def test_no_name_leads_out_of_the_folder(self, tmp_path: Path, bucket: str, key: str, kept: bool) -> None:
        mirror = CropMirror(tmp_path / "crops", bucket)
        mirror.restore()
        s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object(bucket, key, b"jpeg")

        mirror._follow(bucket, key)

        files = [path.name for path in tmp_path.rglob("*") if path.is_file()]
        assert files == (["a-1.jpg"] if kept else [])
