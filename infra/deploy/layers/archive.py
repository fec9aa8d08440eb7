"""Writes a folder as a reproducible zip: the bytes depend only on the names and contents of the files."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

EARLIEST_TIME = (1980, 1, 1, 0, 0, 0)  # of the zip format
UNIX = 3
REGULAR_FILE = 0o100000


def write_zip(folder: Path, path: Path) -> str:
    """Write all files of a folder, sorted by name, and return the zip's sha256.

    Every file is readable by everyone, because Lambda unpacks and runs as different users. Libraries are executable.
    The zip has neither the times nor the owners of the files.
    """
    files = sorted((file.relative_to(folder).as_posix(), file) for file in folder.rglob("*") if file.is_file())
    fresh = path.with_name(f"{path.name}.new")
    with zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, file in files:
            entry = zipfile.ZipInfo(name, EARLIEST_TIME)
            entry.create_system = UNIX
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (REGULAR_FILE | (0o755 if ".so" in file.suffixes else 0o644)) << 16
            archive.writestr(entry, file.read_bytes())
    fresh.replace(path)
    with path.open("rb") as written:
        return hashlib.file_digest(written, "sha256").hexdigest()
