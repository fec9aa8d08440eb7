"""DynamoDB and S3 that throttle, fail, hang up, and do half of what they were asked: 503, or done whole."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from chalicelib.errors import ServiceError
from chalicelib.faces import TemporaryFace, new_token
from chalicelib.stores.aws import sdk
from chalicelib.stores.aws.crops import Crop, CropStore
from chalicelib.stores.aws.sdk import MAX_ATTEMPTS
from chalicelib.stores.aws.tokens import MAX_ITEMS_PER_WRITE, MAX_SETBACKS, TokenStore
from infra.local import resources
from tests.conftest import RESOURCES_FILE
from tests.harness.faults.faulty_aws import Fault, FaultyAws, broken, cut_off, half_done, lost, reset, throttled


@dataclass
class Frail:
    aws: FaultyAws
    tokens: TokenStore
    crops: CropStore


@pytest.fixture(scope="module")
def faulty_aws(aws_endpoint: str) -> Iterator[FaultyAws]:
    faulty = FaultyAws()
    yield faulty
    faulty.stop()


@pytest.fixture(scope="module")
def frail(faulty_aws: FaultyAws) -> Frail:
    """Stores behind a server that can be told to fail, which do not wait between repetitions of their own."""
    name = f"face-search-{secrets.token_hex(8)}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", faulty_aws.url)
        dynamodb, s3 = sdk.client("dynamodb"), sdk.client("s3")
    resources.create(RESOURCES_FILE, dynamodb, s3, table_name=name, bucket_name=name)
    return Frail(faulty_aws, TokenStore(dynamodb, name, 1000, sleep=lambda _: None), CropStore(s3, name))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's own pauses are left out."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))


def temporary(count: int = 1) -> list[TemporaryFace]:
    embedding = np.arange(4, dtype=np.float32)
    return [TemporaryFace(new_token(), embedding, "model", "crop.jpg", 9_999_999_999) for _ in range(count)]


def test_who_is_cut_off_is_not_unknown(frail: Frail) -> None:
    """The SDK takes half a reply for an empty one, which would be an unknown token: the client's fault."""
    [face] = temporary()
    frail.tokens.save([face])

    with frail.aws.fault("dynamodb.GetItem", cut_off), pytest.raises(ServiceError) as raised:
        frail.tokens.get(face.token)

    assert (raised.value.status, raised.value.retry_after) == (503, 2)
    assert frail.tokens.get(face.token) is not None
    assert frail.tokens.get(new_token()) is None


def test_many_that_are_cut_off_are_read_again(frail: Frail) -> None:
    faces = temporary(3)
    frail.tokens.save(faces)

    with frail.aws.fault("dynamodb.BatchGetItem", cut_off, *range(1, MAX_ATTEMPTS + 1)) as rule:
        found = frail.tokens.get_many([*(face.token for face in faces), new_token()])

    assert rule.seen == MAX_ATTEMPTS + 1
    assert found.keys() == {face.token for face in faces}


def test_what_may_be_unwritten_is_written_again(frail: Frail) -> None:
    faces = temporary(3)

    with frail.aws.fault("dynamodb.BatchWriteItem", cut_off, *range(1, MAX_ATTEMPTS + 1)) as rule:
        frail.tokens.save(faces)

    assert rule.seen == MAX_ATTEMPTS + 1
    assert all(frail.tokens.get(face.token) for face in faces)


def test_a_batch_that_is_half_done_is_finished(frail: Frail) -> None:
    faces = temporary(MAX_ITEMS_PER_WRITE + 3)

    with frail.aws.fault("dynamodb.BatchWriteItem", half_done, 1, 2, 3) as rule:
        frail.tokens.save(faces)

    assert rule.seen > 3
    assert all(frail.tokens.get(face.token) for face in faces)


def test_a_batch_that_is_never_finished_is_503(frail: Frail) -> None:
    with frail.aws.fault("dynamodb.BatchWriteItem", half_done) as rule, pytest.raises(ServiceError) as raised:
        frail.tokens.save(temporary(1))
    assert (raised.value.status, rule.seen) == (503, MAX_SETBACKS + 1)


def test_deletions_that_are_half_done_are_counted(frail: Frail) -> None:
    names = frail.crops.save([Crop("", b"jpeg", None) for _ in range(4)])

    with frail.aws.fault("s3.DeleteObjects", half_done):
        assert frail.crops.delete_many(names) == 2

    assert [frail.crops.read(name) is not None for name in names].count(True) == 2


def save_crop(frail: Frail) -> None:
    frail.crops.save_temporary([Crop("picture.jpg", b"jpeg", None)])


def copy_crop(frail: Frail) -> None:
    assert frail.crops.keep("picture.jpg") is not None


def delete_crop(frail: Frail) -> None:
    frail.crops.delete_temporary("picture.jpg")


def list_crops(frail: Frail) -> None:
    list(frail.crops.permanent(""))


def save_token(frail: Frail) -> None:
    frail.tokens.save(temporary())


def get_token(frail: Frail) -> None:
    frail.tokens.get("A" * 24)


def get_tokens(frail: Frail) -> None:
    frail.tokens.get_many(["A" * 24])


def delete_token(frail: Frail) -> None:
    frail.tokens.delete("A" * 24)


STEPS: dict[Callable[[Frail], None], str] = {
    save_crop: "s3.PUT",
    copy_crop: "s3.COPY",
    delete_crop: "s3.DELETE",
    list_crops: "s3.LIST",
    save_token: "dynamodb.BatchWriteItem",
    get_token: "dynamodb.GetItem",
    get_tokens: "dynamodb.BatchGetItem",
    delete_token: "dynamodb.DeleteItem",
}


@pytest.mark.parametrize("fault", [throttled, broken, reset, lost], ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_what_passes_by_itself_is_repeated_and_then_503(
    frail: Frail, step: Callable[[Frail], None], fault: Fault
) -> None:
    save_crop(frail)

    with frail.aws.fault(STEPS[step], fault, 1):
        step(frail)

    save_crop(frail)
    with frail.aws.fault(STEPS[step], fault) as rule, pytest.raises(ServiceError) as raised:
        step(frail)
    assert (raised.value.status, raised.value.retry_after, rule.seen) == (503, 2, MAX_ATTEMPTS)
