"""The local image's files, served by its own command with this environment's packages."""

from __future__ import annotations

import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from infra.deploy.layers import installation
from infra.deploy.layers.target import Target, target
from infra.image import __main__ as image
from infra.image import contents
from tests.e2e import pictures
from tests.e2e.http_api import HttpApi
from tests.e2e.local_stack import LocalStack, local_stack
from tests.image.dockerfile import stages
from tests.lambda_runtime.deployment import supported
from tests.packs import deployed_pack

LOCAL = stages()["local"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the image's files, without packages: installing them takes minutes where the index is slow."""
    if not supported():  # such as macOS: the layers are for Linux
        pytest.skip("the packages have no wheels for this machine's system")
    folder = tmp_path_factory.mktemp("image") / "contents"

    def no_packages(requirements: Path, goal: Target, into: Path) -> None:
        assert requirements.read_text("utf-8")
        into.mkdir()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(installation, "install", no_packages)
        goal = target(image.default_architecture("local"), "python{}.{}".format(*sys.version_info[:2]))
        folder.mkdir()
        contents.for_local(goal, deployed_pack().folder, folder)
    return folder


@pytest.fixture(scope="module")
def served(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """Serve the files where the Dockerfile would copy them, on another port."""
    root = tmp_path_factory.mktemp("root")
    for _, source, destination in LOCAL.copies():
        shutil.copytree(files / source, root / destination.relative_to("/"), dirs_exist_ok=True)
    [workplace] = LOCAL.texts("WORKDIR")
    python, flag, module, what, *options = LOCAL.words("ENTRYPOINT")
    assert (python, flag, module, what) == ("python", "-m", "infra.local", "run")
    assert options[2::2] == ["--port", "--state"]
    with local_stack(
        root / options[5].lstrip("/"),
        "run",
        None,
        root / workplace.lstrip("/"),
        options[:2],
        MODEL_DIR=str(root / LOCAL.environment()["MODEL_DIR"].lstrip("/")),
        PYTHONDONTWRITEBYTECODE="1",
    ) as stack:
        yield stack


def test_everything_that_is_copied_exists_and_is_readable_by_the_images_user(files: Path) -> None:
    assert {source for _, source, _ in LOCAL.copies()} == {Path(path.name) for path in files.iterdir()}
    for path in files.rglob("*"):
        readable = stat.S_IROTH | (stat.S_IXOTH if path.is_dir() else 0)
        assert path == files / "data" / "state" or path.stat().st_mode & readable == readable, path
    assert stat.S_IMODE((files / "data" / "state").stat().st_mode) == 0o700


def test_the_files_have_no_secret_and_nothing_of_a_clones_state(files: Path) -> None:
    names = {path.relative_to(files).as_posix() for path in files.rglob("*") if path.is_file()}

    assert [name for name in names if Path(name).suffix in (".sqlite", ".jpg", ".key", ".env")] == []
    assert {name.split("/")[1] for name in names if name.startswith("service/")} == {
        ".chalice",
        "__pycache__",
        "app.py",
        "chalicelib",
        "infra",
        "models",
    }
    assert "service/models/pack/card.toml" in names


def test_the_image_names_a_person_and_finds_them_again(served: LocalStack) -> None:
    api = HttpApi(served.port)
    token = api.added(pictures.astronaut(), "Eileen Collins")

    [match] = api.search_picture(pictures.astronaut_png())["cmp_result"]
    assert (match["face_token"], match["face_name"]) == (token, "Eileen Collins")
    assert api.get("/info").body["model"]["name"] == deployed_pack().name


def test_the_port_of_the_host_is_reached_under_its_names_and_no_other(served: LocalStack) -> None:
    """Docker passes a request on with the Host that the client sent."""
    url = f"http://127.0.0.1:{served.port}/info"

    for host in ("localhost:8000", "127.0.0.1:9000", "192.0.2.7:8000"):
        assert requests.get(url, headers={"Host": host}, timeout=60).status_code == 200
    assert requests.get(url, headers={"Host": "attacker.example"}, timeout=60).status_code == 403


def test_the_start_names_an_address_that_a_browser_opens_and_warns(served: LocalStack) -> None:
    assert f"Serving on http://localhost:{served.port} (Ctrl-C stops)." in served.log
    assert "No API key is required: everyone who can reach this machine can read and change the face set." in served.log
