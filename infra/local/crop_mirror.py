"""Keeps the permanent crops of moto's S3 in a folder, because moto loses everything when it stops."""

from __future__ import annotations

import fcntl
import functools
import os
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moto.s3.models import FakeKey, S3Backend

PREFIX = "faces/"
# The metadata that S3 stores with a crop.
NOTES = ("landmarks", "detector")

# Any program on this machine can send a key: no key may lead out of the folder.
_NAME = re.compile(r"[0-9A-Za-z-]+\.jpg")
_META = "x-amz-meta-"
_LOCKS = 64


class CropMirror:
    """Stores a bucket's permanent crops as files; writes or deletes each file before its request is answered.

    A crop is `<name>.jpg`, its landmarks `<name>.landmarks`, and the id of their detector `<name>.detector`. The mirror
    runs inside moto's process because every program that uses the stack changes crops there.
    """

    def __init__(self, folder: Path, bucket: str) -> None:
        self._folder = folder
        self._bucket = bucket
        # Two requests for one crop, such as a request and its retry, take turns.
        self._locks = [threading.Lock() for _ in range(_LOCKS)]

    def restore(self) -> None:
        """Create the bucket with the folder's crops, each dated as its file.

        Waits while another process holds the folder.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self._held = os.open(self._folder, os.O_RDONLY)
        fcntl.flock(self._held, fcntl.LOCK_EX)
        backend = _backend()
        backend.create_bucket(self._bucket, "us-east-1")
        for path in self._folder.iterdir():
            if _NAME.fullmatch(path.name):
                self._load(backend, path)
            elif not path.with_suffix(".jpg").exists():  # left by a kill; no row names it
                path.unlink()

    def attach(self) -> None:
        """Mirror every change that requests make from now on."""
        from moto.s3.models import S3Backend
        from moto.s3.responses import S3Response

        def of_request(response: Any, *_: Any, **__: Any) -> None:
            self._follow(response.bucket_name, response.parse_key_name())

        def of_deletion(_: Any, bucket_name: str, key_name: str, *__: Any, **___: Any) -> None:
            self._follow(bucket_name, key_name)

        # An object gets its metadata only at the end of its request. One request can delete many objects.
        _afterwards(S3Response, "put_object", of_request)
        _afterwards(S3Response, "copy_object", of_request)
        _afterwards(S3Backend, "delete_object", of_deletion)

    def _load(self, backend: S3Backend, path: Path) -> None:
        notes = {note: path.with_suffix(f".{note}") for note in NOTES}
        metadata = {_META + note: file.read_text() for note, file in notes.items() if file.exists()}
        key = backend.put_object(self._bucket, PREFIX + path.name, path.read_bytes())
        key.set_metadata({"Content-Type": "image/jpeg", **metadata})
        key.last_modified = datetime.fromtimestamp(path.stat().st_mtime, UTC).replace(tzinfo=None)

    def _follow(self, bucket_name: str, key_name: str) -> None:
        """Make a crop's files equal to the bucket's object, whatever the request was."""
        name = key_name.removeprefix(PREFIX)
        if bucket_name != self._bucket or name == key_name or not _NAME.fullmatch(name):
            return
        path = self._folder / name
        with self._locks[hash(name) % _LOCKS]:
            key = _backend().get_bucket(bucket_name).keys.get(key_name)
            if key is None:
                for suffix in (".jpg", *(f".{note}" for note in NOTES)):
                    path.with_suffix(suffix).unlink(missing_ok=True)
            else:
                self._save(key, path)
            os.fsync(self._held)

    @staticmethod
    def _save(key: FakeKey, path: Path) -> None:
        for note in NOTES:
            if (text := key.metadata.get(_META + note)) is not None:
                _write(path.with_suffix(f".{note}"), text.encode())
        # The picture last: its file marks the crop as complete.
        _write(path, key.value)


def _afterwards(owner: Any, method: str, then: Callable[..., None]) -> None:
    """Make a method call `then` with its own arguments when it returns or raises."""
    original = getattr(owner, method)

    @functools.wraps(original)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        try:
            return original(*arguments, **named)
        finally:
            then(*arguments, **named)

    setattr(owner, method, wrapped)


def _backend() -> S3Backend:
    from moto.core.models import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    return s3_backends[DEFAULT_ACCOUNT_ID]["aws"]


def _write(path: Path, data: bytes) -> None:
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
