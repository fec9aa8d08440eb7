"""Writes a folder as a zip whose bytes depend on the names and contents of its files only."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

EARLIEST_TIME = (1980, 1, 1, 0, 0, 0)  # that the format can state
UNIX = 3
REGULAR_FILE = 0o100000


def write_zip(folder: Path, path: Path) -> str:
    """Write all files of a folder, sorted by name; return the zip's sha256.

    All may be read by everyone, as Lambda's user is not the one that unpacks, and libraries may be executed. Neither
    times nor owners of the files are in the zip.
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
