"""A request whose time is over says so, and blames no store that is well; one that a store has kept says that."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import app
from chalicelib import deadline, errors
from chalicelib.api import routing
from chalicelib.errors import ServiceError
from chalicelib.stores.aws import sdk
from chalicelib.stores.database import sqlite
from chalicelib.stores.database.connect import connect
from chalicelib.vision.embedder import Embedder
from chalicelib.vision.model_pack import Network
from chalicelib.vision.mtcnn import Mtcnn
from chalicelib.vision.yunet import Yunet
from chalicelib.vision.yunet_onet import YunetOnet
from tests.e2e import pictures
from tests.e2e.lambda_api import LambdaApi, lasting_handler
from tests.packs import dlib_pack
from tests.services import free_port
from tests.vision.crowds import crowd
from tests.vision.test_yunet import CARD as YUNET_CARD

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

TOO_LONG, STORE = errors.took_too_long().detail, errors.StoreUnavailableError().detail
# What asks neither a store nor a network.
AT_ONCE = {"/health", "/openapi.json", "/", "/upload"}
ROUTES = [
    (method, path)
    for path, methods in app.app.routes.items()
    for method in methods
    if method not in ("OPTIONS", "HEAD") and path not in AT_ONCE  # HEAD is GET without the body
]


@pytest.fixture(scope="module")
def api(dynamodb: DynamoDBClient, s3: S3Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LambdaApi]:
    url = f"sqlite:///{tmp_path_factory.mktemp('late') / 'face_set.sqlite'}"
    with lasting_handler(dynamodb, s3, url, "memory") as handler:
        yield handler


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_says_that_it_took_too_long(
    api: LambdaApi, monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    token = api.token(pictures.drawing())
    monkeypatch.setattr(routing, "_request_seconds", lambda: 0)
    fields: dict[str, bytes | str] = {"threshold": "0.5", "face_name": "Ada", "face_set": "staff", "face_token": token}
    fields["name"], fields["face_tokens"] = "Ada", token
    path = path.replace("{face_token}", token).replace("{face_set}", "staff").replace("{person}", "Ada")
    if path.endswith((token, "staff", "crop")):
        fields = {"face_name": "Ada"} if method == "PUT" else {}
    if method in ("GET", "DELETE"):
        reply = api.send(method, path, [(name, str(text)) for name, text in fields.items()])
    else:
        if path in ("/detect", "/search", "/identify"):
            fields["image_file"] = pictures.drawing()
        if path == "/compare":
            fields |= {"image_file1": pictures.drawing(), "face_token2": token}
        if path == "/search":
            del fields["face_token"], fields["face_set"]
        reply = api.post(path, **fields) if method == "POST" else api.send(method, path, list(fields.items()))  # type: ignore[arg-type]

    assert (reply.status, reply.body["error_code"], reply.body["detail"]) == (503, "1003", TOO_LONG)
    assert int(reply.headers["retry-after"]) >= 1


class _Clock:
    """Time that stands still until it is over."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(deadline, "time", SimpleNamespace(monotonic=lambda: self.now))

    def ending(self, network: Network) -> tuple[Network, list[int]]:
        """Return the network, which takes all the time there is, and the runs it was asked for."""
        runs: list[int] = []

        def run(values: Any) -> Any:
            runs.append(len(values))
            self.now = 100.0
            return network(values)

        return run, runs


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    return _Clock(monkeypatch)


class TestWorkEndsBetweenItsParts:
    @pytest.mark.parametrize("slow", ["pnet", "rnet", "onet"])
    def test_mtcnn(self, clock: _Clock, slow: str) -> None:
        pack = dlib_pack()
        networks = {role: pack.network(pack.detector.files[role]) for role in ("pnet", "rnet", "onet")}
        networks[slow], runs = clock.ending(networks[slow])

        with deadline.within(10), pytest.raises(ServiceError, match=TOO_LONG):
            Mtcnn(pack.detector, **networks).detect(crowd(20, 40))

        assert len(runs) == 1

    def test_yunet(self, clock: _Clock) -> None:
        network, runs = clock.ending(lambda values: np.zeros((1, values.shape[1] * values.shape[2], 16), np.float32))

        with deadline.within(10), pytest.raises(ServiceError, match=TOO_LONG):
            Yunet(YUNET_CARD, network).detect(np.zeros((1500, 1500, 3), np.uint8))

        assert len(runs) == 1

    @pytest.mark.parametrize("slow", ["yunet", "onet"])
    def test_yunet_with_onet(self, clock: _Clock, slow: str) -> None:
        def everywhere(values: Any) -> Any:
            cells = np.zeros((1, values.shape[1] * values.shape[2] * 21 // 1024, 16), np.float32)
            cells[:, ::40] = 1  # faces in every fortieth cell
            return cells

        networks = {"yunet": everywhere, "onet": lambda crops: np.zeros((len(crops), 15), np.float32)}
        networks[slow], runs = clock.ending(networks[slow])
        card = YUNET_CARD._replace(thresholds=(0.25, 0.85))

        with deadline.within(10), pytest.raises(ServiceError, match=TOO_LONG):
            YunetOnet(card, networks["yunet"], networks["onet"]).detect(np.zeros((1500, 1500, 3), np.uint8))

        assert len(runs) == 1

    def test_the_embedder(self, clock: _Clock) -> None:
        card = dlib_pack().embedder
        network, runs = clock.ending(lambda values: np.zeros((len(values), card.dimension), np.float32))
        chip = np.zeros((card.input_size, card.input_size, 3), np.uint8)

        with deadline.within(10), pytest.raises(ServiceError, match=TOO_LONG):
            Embedder(card, network).embed_chips([chip] * 20)

        assert len(runs) == 1


class TestAStoreThatFailedIsNamed:
    """Were only the time looked at, these too would say that no store failed."""

    def test_a_database_that_is_locked(self, clock: _Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_SECONDS", 0.01)
        file = tmp_path / "locked.sqlite"

        def sleep(_: float) -> None:
            clock.now = 100.0

        mine = connect(f"sqlite:///{file}", sleep)
        mine.write(lambda transaction: transaction.execute("CREATE TABLE note (id INTEGER)"))
        other = sqlite3.connect(file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        with deadline.within(10), pytest.raises(ServiceError, match=STORE):
            mine.write(lambda transaction: transaction.execute("DELETE FROM note"))
        other.close()
        mine.close()

    def test_an_aws_service_whose_first_attempt_failed(self, clock: _Clock, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
        s3 = sdk.client("s3")

        def late(**_: Any) -> None:
            clock.now = 100.0

        s3.meta.events.register("needs-retry", late)
        with deadline.within(10), pytest.raises(ServiceError, match=STORE):
            s3.get_object(Bucket="crops", Key="a")

    def test_a_later_request_is_not_blamed_for_it(self) -> None:
        with deadline.within(10):
            deadline.store_failed()
        with deadline.within(0), pytest.raises(ServiceError, match=TOO_LONG):
            deadline.check()
