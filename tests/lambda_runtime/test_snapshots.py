"""A container that Lambda takes a snapshot of: the snapshot has nothing that is unique, open or short-lived."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from chalicelib import cold_start
from tests.e2e import pictures
from tests.e2e.walk import EVERYTHING
from tests.lambda_runtime.container import Container
from tests.lambda_runtime.container_api import ContainerApi
from tests.lambda_runtime.deployment import Deployment

# A library of the layer that is mapped when the first network is loaded.
ONNX_RUNTIME = "onnxruntime_pybind11_state"


class Credentials(ThreadingHTTPServer):
    """Gives out credentials as Lambda does to a function with snapshots, and counts how often it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = 0


class Handler(BaseHTTPRequestHandler):
    server: Credentials

    def do_GET(self) -> None:
        assert self.headers["Authorization"] == "for the container"
        self.server.asked += 1
        until = datetime.now(UTC) + timedelta(hours=6)
        keys = {"AccessKeyId": "test", "SecretAccessKey": "test", "Token": "test"}
        body = json.dumps({**keys, "Expiration": f"{until:%Y-%m-%dT%H:%M:%SZ}"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@pytest.fixture
def credentials() -> Iterator[Credentials]:
    with Credentials() as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield server
        server.shutdown()
        serving.join()


@pytest.fixture
def snapshots(environment: dict[str, str], credentials: Credentials) -> dict[str, str]:
    return environment | {
        "AWS_LAMBDA_INITIALIZATION_TYPE": cold_start.SNAPSHOT,
        "AWS_ACCESS_KEY_ID": "",
        "AWS_SECRET_ACCESS_KEY": "",
        "AWS_SESSION_TOKEN": "",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{credentials.server_port}/v1/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "for the container",
    }


def test_nothing_is_open_in_the_snapshot_and_a_restored_container_answers(
    deployment: Deployment, snapshots: dict[str, str], credentials: Credentials
) -> None:
    with Container(deployment, "app.app", snapshots) as container:
        container.wait_for_snapshot()

        assert ONNX_RUNTIME in container.loaded()
        assert container.log() == ""
        # The runtime client itself waits for the restoration.
        assert container.peers() == {container.runtime_address}
        assert [name for name in container.open_files() if name.startswith("/")] == []
        assert credentials.asked == 0

        container.restore()
        api = ContainerApi(container)
        token = api.added(pictures.drawing(), "Ada")
        found = api.search_picture(pictures.drawing(), EVERYTHING)
        assert token in [match["face_token"] for match in found["cmp_result"]]
        assert credentials.asked > 0


# Starts the app as a container with snapshots does, and runs the hooks as the runtime client does after a restoration.
RESTORED_TWICE = """
import random
import app
from awslambdaric import lambda_runtime_hooks_runner as hooks
state = random.getstate()
hooks.run_before_snapshot()
drawn = set()
for _ in range(2):
    random.setstate(state)
    hooks.run_after_restore()
    drawn.add(random.random())
print(len(drawn))
"""


def test_restored_containers_draw_different_random_numbers(deployment: Deployment, snapshots: dict[str, str]) -> None:
    with Container(deployment, "app.app", snapshots, command=["-c", RESTORED_TWICE]) as container:
        assert container.exit_code() == 0, container.log()
        assert container.log() == "2\n"


def test_without_snapshots_no_hook_is_registered(deployment: Deployment, environment: dict[str, str]) -> None:
    with Container(deployment, "app.app", environment, command=["-c", RESTORED_TWICE]) as container:
        assert container.exit_code() == 0, container.log()
        assert container.log() == "1\n"


def test_no_module_of_the_service_draws_a_random_number_or_reads_a_clock_at_import() -> None:
    """Values that a module makes once would be the same in every restored container."""
    folder = Path(cold_start.__file__).parent
    made = ("uuid4()", "time.time()", "monotonic()", "token_bytes(", "token_hex(", "datetime.now(", "random()")
    lines = [
        f"{path.name}: {line}"
        for path in sorted(folder.rglob("*.py"))
        for line in path.read_text().splitlines()
        if line and not line[0].isspace() and any(text in line for text in made)
    ]

    assert lines == []
