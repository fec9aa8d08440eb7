"""Keeps the permanent crops of the local stack in a folder, for moto forgets everything when it stops."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PREFIX = "faces/"
# What S3 keeps with a crop, beside its bytes.
NOTES = frozenset({"landmarks", "detector"})
INTERVAL_SECONDS = 5

log = logging.getLogger(__name__)


class CropMirror:
    """Copies a bucket's permanent crops to a folder every few seconds, and back when the stack starts.

    A crop is `<name>.jpg`, its landmarks `<name>.landmarks`, and the id of their detector `<name>.detector`.
    """

    def __init__(self, s3: S3Client, bucket: str, folder: Path) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._folder = folder
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Put the folder's crops into the bucket, then keep the folder current."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in self._folder.glob("*.jpg"):
            notes = {note: path.with_suffix(f".{note}") for note in NOTES}
            self._s3.put_object(
                Bucket=self._bucket,
                Key=PREFIX + path.name,
                Body=path.read_bytes(),
                ContentType="image/jpeg",
                Metadata={note: file.read_text() for note, file in notes.items() if file.exists()},
            )
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()
        self._copy()

    def _run(self) -> None:
        while not self._stopping.wait(INTERVAL_SECONDS):
            try:
                self._copy()
            except Exception:
                log.exception("the crops were not copied this time")

    def _copy(self) -> None:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=PREFIX)
        there = {item["Key"].removeprefix(PREFIX) for page in pages for item in page.get("Contents", [])}
        here = {path.name for path in self._folder.glob("*.jpg")}
        for name in there - here:
            try:
                reply = self._s3.get_object(Bucket=self._bucket, Key=PREFIX + name)
            except self._s3.exceptions.NoSuchKey:  # its face was removed meanwhile
                continue
            for note in reply["Metadata"].keys() & NOTES:
                (self._folder / name).with_suffix(f".{note}").write_text(reply["Metadata"][note])
            # The picture last, and whole: it is what says that the crop is here.
            partial = self._folder / f"{name}.partial"
            partial.write_bytes(reply["Body"].read())
            partial.rename(self._folder / name)
        for name in here - there:
            (self._folder / name).unlink()
            for note in NOTES:
                (self._folder / name).with_suffix(f".{note}").unlink(missing_ok=True)
