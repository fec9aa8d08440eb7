"""A client generated from the running service's document works against the service and has correct types."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.api.replies import failure
from chalicelib.errors import took_too_long
from tests.cli.scripted_server import scripted_server
from tests.e2e import pictures
from tests.e2e.http_api import HttpApi
from tests.e2e.local_stack import ROOT, LocalStack, local_stack

PROGRAM = Path(__file__).with_name("client_program.py")
EXAMPLE = ROOT / "docs" / "examples" / "python" / "generated_client.py"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with local_stack(tmp_path_factory.mktemp("client") / "state") as stack:
        yield stack


@pytest.fixture(scope="module")
def client(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a generated client."""
    folder = tmp_path_factory.mktemp("generated")
    generator = str(Path(sys.executable).with_name("openapi-python-client"))
    config = str(ROOT / "docs" / "python-client.yaml")
    url = f"http://127.0.0.1:{stack.port}/openapi.json"
    into = str(folder / "face_search_client")
    run(
        generator,
        "generate",
        "--url",
        url,
        "--config",
        config,
        "--output-path",
        into,
        "--meta",
        "none",
        "--fail-on-warning",
    )
    return folder


def run(*command: str, folder: Path = ROOT, **environment: str) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "NO_PROXY": "127.0.0.1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("program", [PROGRAM, EXAMPLE], ids=lambda program: program.stem)
def test_a_program_that_uses_the_client_passes_type_checks(client: Path, tmp_path: Path, program: Path) -> None:
    """Checked as a user would check it: by mypy in strict mode."""
    mypy = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--follow-imports=silent"]

    run(*mypy, "--cache-dir", str(tmp_path), str(program), folder=client, MYPYPATH=str(client))


def test_a_program_that_uses_the_client_walks_through_the_service(
    client: Path, stack: LocalStack, tmp_path: Path
) -> None:
    picture = tmp_path / "picture.jpg"
    picture.write_bytes(pictures.astronaut())

    run(sys.executable, str(PROGRAM), f"http://127.0.0.1:{stack.port}", str(picture), PYTHONPATH=str(client))


def test_the_example_asks_a_busy_service_again(client: Path, stack: LocalStack, tmp_path: Path) -> None:
    picture = tmp_path / "picture.jpg"
    picture.write_bytes(pictures.two_faces())
    api = HttpApi(stack.port)
    reply = api.post("/identify", image_file=picture.read_bytes())
    api.session.close()
    busy = (503, {"Retry-After": "1"}, failure(took_too_long()).body)

    with scripted_server(busy, (200, {}, reply.body)) as server:
        command = (sys.executable, str(EXAMPLE), str(picture))
        printed = run(*command, FACE_SEARCH_URL=server.url, PYTHONPATH=str(client))

    assert printed == "unknown\nunknown\n"
    assert server.requests[1].at - server.requests[0].at >= 1
