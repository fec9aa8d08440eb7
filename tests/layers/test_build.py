"""The complete layers, built from the package index."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.deploy.layers import __main__ as layers
from infra.deploy.layers import byte_code, installation, sizes
from infra.deploy.layers.errors import IndexUnreachableError, LayerError
from infra.deploy.layers.target import target
from models.build import CARDS
from tests.conftest import absent
from tests.packs import deployed_pack, dlib_pack

ROOT = Path(__file__).parents[2]
ARM64 = target("arm64", "python3.13")
# Function and layers, unzipped, with byte code and the dlib pack. The rest of Lambda's limit is room to grow.
MAX_ARM64_BYTES = 215_000_000
# How far the sizes on the pages may be from the real ones, which change with every module.
TOLERANCE = 0.03


@contextmanager
def package_index() -> Iterator[None]:
    try:
        yield
    except IndexUnreachableError as error:
        absent(str(error))


def test_the_arm64_layers_fit_lambdas_limit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack = deployed_pack().name

    with package_index():
        layers.build_layers([pack], ARM64, tmp_path)

    zips = {path.name: path for path in tmp_path.iterdir()}
    assert zips.keys() == {"deps.zip", "models.zip"}
    told = capsys.readouterr().out
    assert all(_sha256(path) in told for path in zips.values())
    total = re.search(r"unzipped: ([0-9,]+) of 262,144,000 bytes", told)
    assert total
    unzipped = sum(_unzipped(path) for path in zips.values()) + layers.function_bytes()
    assert unzipped == int(total[1].replace(",", "")) <= MAX_ARM64_BYTES
    if pack == "retail-0095" and byte_code.interpreter("3.13"):  # as the pages say
        page = (ROOT / "docs" / "commands.md").read_text("utf-8")
        assert _stated(r"together have some (\d+) MB unzipped", page) == pytest.approx(unzipped / 1e6, rel=TOLERANCE)
        tutorial = (ROOT / "docs" / "tutorials" / "deploy-to-aws.md").read_text("utf-8")
        for name, path in zips.items():
            stated = _stated(rf"{re.escape(name)}: uploaded, ([\d.]+) MB", tutorial)
            assert stated == pytest.approx(path.stat().st_size / 1e6, rel=TOLERANCE), name
    deps = zipfile.ZipFile(zips["deps.zip"]).namelist()
    assert all(name.startswith("python/") for name in deps)
    assert ("python/__pycache__/multipart.cpython-313.pyc" in deps) == (byte_code.interpreter("3.13") is not None)
    files = tomllib.loads((deployed_pack().folder / "card.toml").read_text("utf-8"))["files"]
    assert {"embedder.onnx", "onet.onnx"} <= set(files)
    assert zipfile.ZipFile(zips["models.zip"]).namelist() == [
        f"models/{pack}/{name}" for name in sorted(["card.toml", *files])
    ]


def _stated(pattern: str, page: str) -> float:
    found = re.search(pattern, page)
    assert found, pattern
    return float(found[1])


def test_the_identity_layer_is_small_and_loads_on_the_target(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with package_index():
        layers.build_identity_layer(ARM64, tmp_path)

    names = zipfile.ZipFile(tmp_path / "identity.zip").namelist()
    assert {"python/joserfc/jwt.py", "python/cryptography/x509/__init__.py"} <= set(names)
    assert _unzipped(tmp_path / "identity.zip") < 30_000_000
    assert _sha256(tmp_path / "identity.zip") in capsys.readouterr().out


def test_builds_are_reproducible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds modules, byte code, libraries and a pack. The large packages contain more files, but of the same kinds."""
    dlib_pack()
    monkeypatch.setattr(layers, "REQUIREMENTS", _only(tmp_path, "multipart", "pymysql", "simplejpeg"))
    builds = [tmp_path / "first", tmp_path / "second"]

    for into in builds:
        with package_index():
            layers.build_layers(["dlib"], ARM64, into)

    first, second = ({path.name: _sha256(path) for path in into.iterdir()} for into in builds)
    assert first == second
    names = zipfile.ZipFile(builds[0] / "deps.zip").namelist()
    assert any(name.endswith(".so") for name in names)
    assert any(name.endswith(".pyc") for name in names) == (byte_code.interpreter("3.13") is not None)


def test_a_missing_interpreter_is_reported_and_the_build_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(byte_code, "interpreter", lambda _: None)
    monkeypatch.setattr(layers, "REQUIREMENTS", _only(tmp_path, "multipart"))

    with package_index():
        layers.install_dependencies(ARM64, tmp_path / "python")

    assert "No python3.13 was found, so the layer has no byte code" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "python").glob("*.py*")] == ["multipart.py"]
    assert not list(tmp_path.rglob("*.pyc"))


def test_packages_that_the_target_cannot_run_are_named(tmp_path: Path) -> None:
    with package_index(), pytest.raises(LayerError, match=r"glibc 2\.26: .*numpy==.*another RUNTIME="):
        installation.install(layers.REQUIREMENTS, target("arm64", "python3.11"), tmp_path / "python")


def test_requirements_that_depend_on_the_machine_are_refused(tmp_path: Path) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("numpy==2.4.6 ; platform_machine == 'x86_64'\n")

    with pytest.raises(LayerError, match="has environment markers, which pip cannot evaluate for the target: numpy"):
        installation.install(requirements, ARM64, tmp_path / "python")


def test_an_unreachable_index_is_a_separate_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")

    with pytest.raises(IndexUnreachableError, match="the package index cannot be reached"):
        installation.install(layers.REQUIREMENTS, ARM64, tmp_path / "python")


def test_layers_that_are_too_large_leave_no_zip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dlib_pack()
    monkeypatch.setattr(sizes, "MAX_UNZIPPED_BYTES", 10_000_000)
    monkeypatch.setattr(layers, "REQUIREMENTS", _only(tmp_path, "multipart"))
    into = tmp_path / "layers"
    into.mkdir()
    (into / "deps.zip").write_bytes(b"of the build before")

    with package_index(), pytest.raises(LayerError, match=r"more than Lambda's 10,000,000:\n +[0-9,]+  models/dlib\n"):
        layers.build_layers(["dlib"], ARM64, into)

    assert list(into.iterdir()) == []


def test_weights_that_cannot_be_fetched_are_named(tmp_path: Path) -> None:
    text = (CARDS / "sface.toml").read_text()
    source = tomllib.loads(text)["sources"]["embedder"]
    text = text.replace(source["url"], (tmp_path / "absent.onnx").as_uri()).replace(source["sha256"], "0" * 64)
    card = tmp_path / "mine.toml"
    card.write_text(text.replace('name = "sface"', 'name = "mine"'))

    with pytest.raises(SystemExit, match=r"The layers were not built: .*absent\.onnx.*PACK=dlib"):
        layers.main([str(card), "--into", str(tmp_path / "layers")])


def test_the_layer_contains_only_files_that_the_card_names(tmp_path: Path) -> None:
    pack = tmp_path / "dlib"
    shutil.copytree(dlib_pack().folder, pack)
    (pack / "notes.txt").touch()

    layers.copy_packs([pack], tmp_path / "models")

    files = {path.name for path in (tmp_path / "models" / "dlib").iterdir()}
    assert files == {path.name for path in dlib_pack().folder.iterdir()}


def test_make_passes_its_variables_on() -> None:
    command = ["make", "--dry-run", "layers", "PACK=dlib facenet", "ARCH=x86_64", "RUNTIME=python3.12"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    assert "-m infra.deploy.layers dlib facenet --arch x86_64 --runtime python3.12" in done.stdout


def _only(folder: Path, *packages: str) -> Path:
    """Write requirements for a few small packages, with the real hashes."""
    text = layers.REQUIREMENTS.read_text()
    pinned = [re.search(rf"^{package}==.*(\n +--hash.*)+\n", text, re.MULTILINE) for package in packages]
    requirements = folder / "requirements.txt"
    requirements.write_text("".join(found[0] for found in pinned if found))
    return requirements


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _unzipped(path: Path) -> int:
    with zipfile.ZipFile(path) as layer:
        return sum(entry.file_size for entry in layer.infolist())
