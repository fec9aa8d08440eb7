"""Container starts: what is loaded, which stores are not contacted, and what happens if something is missing."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.e2e import pictures
from tests.e2e.refusals import INTERNAL, assert_refused
from tests.lambda_runtime.container import Container, namespaces_work
from tests.lambda_runtime.container_api import ContainerApi
from tests.lambda_runtime.deployment import Deployment
from tests.lambda_runtime.runtime_api import FunctionError

# A library of the layer that is mapped when the first network is loaded.
ONNX_RUNTIME = "onnxruntime_pybind11_state"

WRITES = """
import pathlib
for folder in ("/opt/python", "/var/task", "/var/runtime", "/var", "/"):
    try:
        pathlib.Path(folder, "written").touch()
    except OSError as error:
        print(error.strerror)
pathlib.Path("/tmp/written").touch()
"""


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        yield listener


@pytest.fixture
def deaf_stores(listener: socket.socket) -> dict[str, str]:
    """The environment variables that point all stores to the listener."""
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    return {
        "AWS_ENDPOINT_URL": f"http://{address}",
        "DATABASE_URL": f"mysql://root@{address}/face_search",
        "NO_PROXY": "127.0.0.1",
    }


def test_networks_are_loaded_before_the_first_request_without_contacting_stores(
    deployment: Deployment, deaf_stores: dict[str, str], listener: socket.socket
) -> None:
    with Container(deployment, "app.app", deaf_stores) as container:
        container.init_seconds()

        assert ONNX_RUNTIME in container.loaded()
        assert container.log() == ""
    with pytest.raises(BlockingIOError):
        listener.accept()


@pytest.mark.parametrize(
    "handler", [f"app.{name}" for name in ("compact", "migrate", "reconcile", "re_embed", "export", "import_faces")]
)
def test_other_functions_load_no_networks_and_contact_no_store(
    deployment: Deployment, deaf_stores: dict[str, str], listener: socket.socket, handler: str
) -> None:
    with Container(deployment, handler, deaf_stores, memory_mb=512) as container:
        container.init_seconds()

        assert ONNX_RUNTIME not in container.loaded()
        assert container.log() == ""
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_a_container_without_its_networks_logs_the_error_and_answers(
    deployment: Deployment, deaf_stores: dict[str, str]
) -> None:
    with Container(deployment, "app.app", deaf_stores | {"MODEL_DIR": "/opt/models/absent"}) as container:
        container.init_seconds()
        logged = container.log()
        api = ContainerApi(container)

        assert "the container could not be prepared" in logged
        assert "there is no model card at /opt/models/absent/card.toml" in logged
        for _ in range(2):
            assert_refused(api.post("/detect", image_file=pictures.drawing()), 500, INTERNAL)
        assert api.get("/health").body == {"status": "ok"}


def test_the_value_of_an_invalid_setting_is_not_logged(deployment: Deployment, deaf_stores: dict[str, str]) -> None:
    environment = deaf_stores | {"DATABASE_URL": "postgres://root:secret@127.0.0.1/face_search"}

    with Container(deployment, "app.app", environment) as container:
        container.init_seconds()

        assert "DATABASE_URL must begin with mysql://" in container.log()
        assert "secret" not in container.log()
        assert_refused(ContainerApi(container).get("/info"), 500, INTERNAL)


def test_a_functions_error_is_reported_and_its_container_continues(
    deployment: Deployment, deaf_stores: dict[str, str]
) -> None:
    with Container(deployment, "app.re_embed", deaf_stores) as container:
        for _ in range(2):
            with pytest.raises(FunctionError, match="ModelPackError: there is no model pack 'absent'"):
                container.invoke({"pack": "absent"})


def test_a_missing_handler_fails_the_initialisation(deployment: Deployment, deaf_stores: dict[str, str]) -> None:
    with Container(deployment, "app.absent", deaf_stores) as container, pytest.raises(FunctionError, match="absent"):
        container.init_seconds()


@pytest.mark.skipif(not namespaces_work(), reason="this test needs a mount namespace")
def test_only_tmp_is_writable(deployment: Deployment) -> None:
    with Container(deployment, command=["-c", WRITES]) as container:
        assert container.exit_code() == 0
        assert container.log() == "Read-only file system\n" * 5


def test_memory_beyond_the_functions_limit_is_refused(deployment: Deployment) -> None:
    with Container(deployment, memory_mb=512, command=["-c", "bytearray(520 * 2**20)"]) as container:
        assert container.exit_code() != 0
        assert "MemoryError" in container.log()
