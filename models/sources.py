"""Fetches the published files a pack is made from, and proves by their sha256 that they are the right ones."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

CONNECT_TIMEOUT_SECONDS = 10
CHUNK_BYTES = 1 << 20


class SourceError(Exception):
    """A published file cannot be had, or is not the one that the card names."""


def fetch(source: dict[str, Any], cache: Path) -> Path:
    """Return the path of the file that the card's `source` describes, from the cache or from its publisher.

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
            raise SourceError(f"{_name(source)} has sha256 {digest}; the card asks for {source['sha256']}")
        fetched.replace(kept)
    return kept


def members(source: dict[str, Any], path: Path) -> dict[str, bytes]:
    """Return the files that the card names inside a fetched package, or the fetched file itself, by their key."""
    if "url" in source:
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


def _name(source: dict[str, Any]) -> str:
    return str(source.get("package") or source["url"])


def _download(source: dict[str, Any], folder: Path) -> Path:
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
        with urllib.request.urlopen(url, timeout=CONNECT_TIMEOUT_SECONDS) as reply, path.open("wb") as file:  # noqa: S310  # the card's address, and sha256 decides
            while chunk := reply.read(CHUNK_BYTES):
                file.write(chunk)
    except OSError as error:
        reason = error if isinstance(error, urllib.error.HTTPError) else getattr(error, "reason", error)
        raise SourceError(f"{url} cannot be fetched: {reason}") from error
    return path
