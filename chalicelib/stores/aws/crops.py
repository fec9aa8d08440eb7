"""Stores face crops in S3: temporarily for every detected face, permanently for known faces."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID, uuid4, uuid5

import numpy as np

from chalicelib import deadline
from chalicelib.errors import ServiceError
from chalicelib.faces import Landmarks
from chalicelib.stores.aws import s3_objects
from chalicelib.stores.aws.sdk import MAX_CONNECTIONS, error_code, faults_translated

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

URL_SECONDS = 300

_TEMPORARY = "temporary/"  # infra/deploy/template/resources.yaml expires objects with this prefix
_PERMANENT = "faces/"
# Any UUID works, as long as it never changes.
_TOKENS = UUID("5a0e4c1c-6c0b-4f0e-9a35-5b0f4d3c2a17")

CROPS_PER_PAGE = s3_objects.OBJECTS_PER_PAGE

_log = logging.getLogger(__name__)


class Crop(NamedTuple):
    """A face cut out of its image, as a JPEG file.

    With `landmarks`, in pixels of the crop, the face can be aligned and embedded again without a detector.
    `detector_id` names the detector that found the landmarks.
    """

    name: str
    jpeg: bytes
    landmarks: Landmarks | None
    detector_id: str | None = None


class StoredCrop(NamedTuple):
    """A crop's name, and the time it was stored, in seconds since 1970."""

    name: str
    modified_at: float


def temporary_name(token: str) -> str:
    """Return the name of a token's temporary crop.

    The name depends only on the token, so it is known even after the token expires. It does not reveal the token.
    """
    return f"{uuid5(_TOKENS, token)}.jpg"


class CropStore:
    """Crops by name, under a temporary and a permanent prefix.

    Every method raises ServiceError unless it says otherwise: 503 when S3 cannot be reached or throttles, 500 when S3
    refuses. The caller's role needs s3:ListBucket; without it S3 answers 403 instead of 404 for a missing crop.

    Parameters
    ----------
    client
        An S3 client.
    """

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def save_temporary(self, crops: Sequence[Crop]) -> None:
        """Save all crops, in parallel. After a failure some may be saved; they expire."""
        with ThreadPoolExecutor(max_workers=MAX_CONNECTIONS) as executor:
            # Reading the results raises the first failure and cancels the uploads that have not started.
            list(executor.map(deadline.carried(partial(self._put, _TEMPORARY)), crops))

    def save(self, crops: Sequence[Crop]) -> list[str]:
        """Save crops permanently, in parallel, under new names; return the new names in the order of the crops."""
        named = [crop._replace(name=f"{uuid4()}.jpg") for crop in crops]
        with ThreadPoolExecutor(max_workers=MAX_CONNECTIONS) as executor:
            list(executor.map(deadline.carried(partial(self._put, _PERMANENT)), named))
        return [crop.name for crop in named]

    def keep(self, temporary_name: str) -> str | None:
        """Copy a temporary crop to the permanent prefix; return its new name, or None when the crop has expired.

        The name is new every time, as a repeated name would allow a race. One request removes a face's row; another
        adds the face again and copies the crop. The first request then deletes the crop of the row that it removed,
        and the new row has no crop.
        """
        permanent_name = f"{uuid4()}.jpg"
        with faults_translated():
            try:
                self._client.copy_object(
                    Bucket=self._bucket,
                    Key=_PERMANENT + permanent_name,
                    CopySource={"Bucket": self._bucket, "Key": _TEMPORARY + temporary_name},
                )
            except self._client.exceptions.ClientError as error:
                if error_code(error) != "NoSuchKey":
                    raise
                return None
        return permanent_name

    def read(self, permanent_name: str) -> Crop | None:
        return self._read(_PERMANENT, permanent_name)

    def presigned(self, permanent_name: str) -> str:
        """Return a URL from which anyone can read a crop for URL_SECONDS. Sends no request."""
        return self._client.generate_presigned_url(
            "get_object", Params={"Bucket": self._bucket, "Key": _PERMANENT + permanent_name}, ExpiresIn=URL_SECONDS
        )

    def read_many(self, permanent_names: Sequence[str]) -> list[Crop | None]:
        """Read crops in parallel; return them in the order of `permanent_names`."""
        return self._read_many(_PERMANENT, permanent_names)

    def read_temporary(self, names: Sequence[str]) -> list[Crop | None]:
        """Read crops in parallel; return them in the order of `names`."""
        return self._read_many(_TEMPORARY, names)

    def delete(self, permanent_name: str) -> None:
        self._delete(_PERMANENT + permanent_name)

    def permanent(self, beginning: str) -> Iterator[list[StoredCrop]]:
        """Yield the permanent crops with names that start with `beginning`, page by page, sorted by name."""
        for page in s3_objects.pages(self._client, self._bucket, _PERMANENT + beginning, CROPS_PER_PAGE):
            yield [StoredCrop(item["Key"].removeprefix(_PERMANENT), item["LastModified"].timestamp()) for item in page]

    def delete_many(self, permanent_names: Sequence[str]) -> int:
        """Delete crops in one request, as `s3_objects.delete` does; return how many could not be deleted."""
        return s3_objects.delete(self._client, self._bucket, [_PERMANENT + name for name in permanent_names])

    def delete_orphan(self, permanent_name: str) -> None:
        """Delete a crop that no row refers to any more. Never raises; after a failure, `reconcile` deletes the crop."""
        try:
            self.delete(permanent_name)
        except ServiceError:
            _log.warning("a crop without a row could not be deleted; reconcile will")
        except Exception:  # noqa: BLE001  # the caller's change is already committed and must be answered
            _log.exception("a crop without a row could not be deleted; reconcile will")

    def delete_temporary(self, name: str) -> None:
        self._delete(_TEMPORARY + name)

    def _read(self, prefix: str, name: str) -> Crop | None:
        with faults_translated():
            try:
                reply = self._client.get_object(Bucket=self._bucket, Key=prefix + name)
            except self._client.exceptions.NoSuchKey:
                return None
            jpeg = reply["Body"].read()
        notes = reply["Metadata"]
        return Crop(name, jpeg, _parsed(notes.get("landmarks")), notes.get("detector"))

    def _read_many(self, prefix: str, names: Sequence[str]) -> list[Crop | None]:
        with ThreadPoolExecutor(max_workers=MAX_CONNECTIONS) as executor:
            return list(executor.map(deadline.carried(partial(self._read, prefix)), names))

    def _put(self, prefix: str, crop: Crop) -> None:
        with faults_translated():
            self._client.put_object(
                Bucket=self._bucket,
                Key=prefix + crop.name,
                Body=crop.jpeg,
                ContentType="image/jpeg",
                Metadata=_notes(crop),
            )

    def _delete(self, key: str) -> None:
        with faults_translated():
            self._client.delete_object(Bucket=self._bucket, Key=key)


def _notes(crop: Crop) -> dict[str, str]:
    notes = {"landmarks": None if crop.landmarks is None else _as_text(crop.landmarks), "detector": crop.detector_id}
    return {name: text for name, text in notes.items() if text is not None}


def _as_text(landmarks: Landmarks) -> str:
    """Return x and y of each point in turn, rounded to a hundredth of a pixel."""
    return ",".join(f"{number:.2f}" for number in landmarks.ravel())


def _parsed(text: str | None) -> Landmarks | None:
    return None if text is None else np.array(text.split(","), dtype=np.float32).reshape(5, 2)
