"""A crop is temporary until it is kept, and stays with its landmarks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest

from chalicelib.errors import ServiceError
from chalicelib.stores.aws import sdk
from chalicelib.stores.aws.crops import Crop, CropStore
from tests.services import free_port

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LANDMARKS = np.array([[30.125, 41], [70.5, 40.25], [50, 60], [-3.5, 1e3], [65.999, 80]], np.float32)
CROP = Crop("a.jpg", b"\xff\xd8 a picture \xff\xd9", LANDMARKS, "0123456789ab")


@pytest.fixture
def crops(s3: S3Client, crops_bucket: str) -> CropStore:
    return CropStore(s3, crops_bucket)


def keys(s3: S3Client, bucket: str) -> list[str]:
    return [item["Key"] for item in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def test_a_kept_crop_has_its_bytes_its_type_and_its_landmarks(
    crops: CropStore, s3: S3Client, crops_bucket: str
) -> None:
    crops.save_temporary([CROP])

    name = crops.keep("a.jpg")

    assert name is not None
    kept = crops.read(name)
    assert kept is not None
    assert (kept.name, kept.jpeg, kept.detector_id) == (name, CROP.jpeg, CROP.detector_id)
    assert kept.landmarks is not None
    assert kept.landmarks.dtype == np.float32
    assert kept.landmarks.shape == (5, 2)
    np.testing.assert_allclose(kept.landmarks, LANDMARKS, rtol=0, atol=0.0051)
    assert s3.head_object(Bucket=crops_bucket, Key=f"faces/{name}")["ContentType"] == "image/jpeg"


def test_a_crop_may_have_no_landmarks(crops: CropStore) -> None:
    crops.save_temporary([Crop("a.jpg", b"jpeg", None)])

    kept = crops.read(crops.keep("a.jpg") or "")

    assert kept is not None
    assert kept.landmarks is None


def test_a_temporary_crop_can_be_read_until_it_is_deleted(crops: CropStore) -> None:
    crops.save_temporary([CROP])

    [read] = crops.read_temporary(["a.jpg"])

    assert read is not None
    assert (read.name, read.jpeg, read.detector_id) == ("a.jpg", CROP.jpeg, CROP.detector_id)
    crops.delete_temporary("a.jpg")
    assert crops.read_temporary(["a.jpg"]) == [None]


def test_many_crops_are_read_in_the_order_of_their_names(crops: CropStore) -> None:
    crops.save_temporary([Crop(f"{n}.jpg", bytes([n]), None) for n in range(30)])
    names = [crops.keep(f"{n}.jpg") or "" for n in range(30)]
    names.insert(7, "missing.jpg")

    read = crops.read_many(names)

    assert [crop and crop.jpeg for crop in read] == [
        *(bytes([n]) for n in range(7)),
        None,
        *(bytes([n]) for n in range(7, 30)),
    ]


def test_many_crops_are_saved_at_once(crops: CropStore, s3: S3Client, crops_bucket: str) -> None:
    crops.save_temporary([Crop(f"{n:02}.jpg", bytes([n]), None) for n in range(40)])

    assert keys(s3, crops_bucket) == [f"temporary/{n:02}.jpg" for n in range(40)]
    fifth = crops.read(crops.keep("05.jpg") or "")
    assert fifth is not None
    assert fifth.jpeg == b"\x05"


def test_saving_no_crops_succeeds(crops: CropStore, s3: S3Client, crops_bucket: str) -> None:
    crops.save_temporary([])

    assert keys(s3, crops_bucket) == []


def test_a_crop_kept_twice_has_two_names_that_are_deleted_separately(crops: CropStore) -> None:
    crops.save_temporary([CROP])
    first, second = crops.keep("a.jpg"), crops.keep("a.jpg")
    assert first is not None
    assert second is not None

    crops.delete(first)

    assert crops.read(first) is None
    assert crops.read(second) is not None


def test_keeping_a_crop_that_has_expired_returns_none(crops: CropStore, s3: S3Client, crops_bucket: str) -> None:
    crops.save_temporary([CROP])
    crops.delete_temporary("a.jpg")

    assert crops.keep("a.jpg") is None
    assert keys(s3, crops_bucket) == []


def test_deleting_a_missing_crop_succeeds(crops: CropStore, s3: S3Client, crops_bucket: str) -> None:
    crops.save_temporary([CROP])

    crops.delete("a.jpg")
    crops.delete_temporary("b.jpg")

    assert keys(s3, crops_bucket) == ["temporary/a.jpg"]


def assert_every_call_fails(store: CropStore, status: int) -> None:
    calls: list[Callable[[], object]] = [
        lambda: store.save_temporary([CROP, CROP]),
        lambda: store.keep("a.jpg"),
        lambda: store.read("a.jpg"),
        lambda: store.delete("a.jpg"),
        lambda: store.delete_temporary("a.jpg"),
    ]
    for call in calls:
        with pytest.raises(ServiceError) as raised:
            call()
        assert raised.value.status == status


def test_a_missing_bucket_is_500(s3: S3Client) -> None:
    assert_every_call_fails(CropStore(s3, "no-such-bucket"), 500)


def test_an_unreachable_server_is_503(aws_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setattr(sdk, "MAX_ATTEMPTS", 1)
    assert_every_call_fails(CropStore(sdk.client("s3"), "crops"), 503)


def test_a_custom_endpoint_is_called_without_the_bucket_in_the_host_name(
    aws_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://storage.test:9000")

    url = sdk.client("s3").generate_presigned_url("get_object", Params={"Bucket": "crops", "Key": "faces/a.jpg"})

    assert url.startswith("http://storage.test:9000/crops/faces/a.jpg?")
