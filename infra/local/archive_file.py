"""Reads and writes archives on this machine: a folder, or the same files in one zip."""

from __future__ import annotations

import os
import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from chalicelib.maintenance.transfer.errors import ArchiveError, too_large

COPY_BYTES = 1024 * 1024
# A fixed time makes zips of one archive identical, byte for byte. The zip format has no earlier time.
NO_TIME = (1980, 1, 1, 0, 0, 0)

# zipfile can read a part of these. A few bytes of bzip2 or LZMA can expand until the memory is full.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# Parts are already compressed, and half of a manifest is checksums.
MAX_EXPANSION = 20
# zipfile raises these for damaged files: RuntimeError for encrypted files or a later version of the format, ValueError
# for names in no encoding, OverflowError for offsets outside any file.
_FAULTS = (zipfile.BadZipFile, zlib.error, struct.error, OSError, EOFError, RuntimeError, ValueError, OverflowError)


class Folder:
    """A Container that never holds half a file, even when the machine stops during a write.

    Every method raises OSError with the file's name when the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, name: str, limit: int) -> bytes | None:
        path = self.path / name
        try:
            with _naming(path), path.open("rb") as file:
                return _limited(file.read(limit + 1), name, limit)
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)  # private: it holds pictures and names
        partial = self.path / f"{name}.partial"
        with _naming(partial), partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(self.path / name)

    def delete(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)


class Zip:
    """A Source. Nothing is unpacked to a file, so the names in the zip cannot write outside a folder."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file

    def read(self, name: str, limit: int) -> bytes | None:
        try:
            entry = self._file.getinfo(name)
        except KeyError:
            return None
        if entry.compress_type not in METHODS:
            raise ArchiveError(f"{name} uses an unsupported compression method: files must be stored or deflated")
        if entry.file_size > limit:
            raise too_large(name, limit)
        if entry.file_size > MAX_EXPANSION * entry.compress_size:
            raise ArchiveError(f"{name} expands to more than {MAX_EXPANSION} times its size in the zip")
        try:
            with self._file.open(entry) as member:
                return member.read(entry.file_size)  # read() would decompress everything, beyond the declared size
        except _FAULTS:
            raise ArchiveError(f"{name} cannot be read: the zip is damaged or encrypted") from None


def open_archive(path: Path) -> Folder | Zip:
    """Open a folder or zip file to import from.

    Raises
    ------
    ArchiveError
        When the path cannot be read, or is neither a folder nor a zip file.
    """
    if path.is_dir():
        return Folder(path)
    try:
        file = path.open("rb")
    except OSError as error:
        raise ArchiveError(f"{path} cannot be read: {error.strerror}") from None
    try:
        return Zip(zipfile.ZipFile(file))
    except _FAULTS:
        file.close()
        raise ArchiveError(f"{path} is neither a folder nor a complete zip file") from None


def pack(folder: Path, names: Iterable[str], into: Path) -> None:
    """Store some of a folder's files in one zip file, uncompressed; at the end, replace any file at `into`.

    Raises
    ------
    OSError
        With the name of the file that cannot be read or written.
    """
    partial = into.with_name(f"{into.name}.partial")
    try:
        with _naming(partial):
            partial.touch(0o600)
            with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as packed:
                for name in names:
                    path = folder / name
                    entry = zipfile.ZipInfo(name, NO_TIME)
                    entry.file_size, entry.external_attr = path.stat().st_size, 0o600 << 16
                    with path.open("rb") as source, packed.open(entry, "w") as target:
                        shutil.copyfileobj(source, target, COPY_BYTES)
            partial.rename(into)
    finally:
        partial.unlink(missing_ok=True)  # incomplete after a failure, such as a full disk


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Add the file's name to an OSError that has none, such as a full disk."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def _limited(data: bytes, name: str, limit: int) -> bytes:
    if len(data) > limit:
        raise too_large(name, limit)
    return data
