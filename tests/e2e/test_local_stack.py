"""The local stack as a program: its start, its stored data and its end."""

from __future__ import annotations

import base64
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from chalicelib.stores.aws import sdk
from chalicelib.vision.model_pack import ModelPack
from infra.local.__main__ import stack
from tests.e2e import pictures
from tests.e2e.api import form, names, tokens
from tests.e2e.carriers import FORM, JSON, as_base64, sent
from tests.e2e.chalice_local import chalice_local
from tests.e2e.http_api import HttpApi
from tests.e2e.local_stack import ROOT, LocalStack, environment, local_stack
from tests.e2e.raw_http import Connection, head
from tests.services import free_port

# The port in .chalice/config.json at which `chalice local` expects DynamoDB and S3.
MAX_WAIT_SECONDS = 60
MAX_ORPHAN_SECONDS = 60


def refused(*arguments: str, **settings: str) -> str:
    """Return the message of a refused start, which must not be a traceback."""
    ended = subprocess.run(
        [sys.executable, "-m", "infra.local", *arguments],
        cwd=ROOT,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=MAX_WAIT_SECONDS,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    return ended.stderr


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@lru_cache
def large_picture() -> bytes:
    """Return a picture that takes seconds to search for faces."""
    return pictures.png(np.zeros((4096, 4096, 3), np.uint8))


class TestRefusals:
    def test_a_port_that_is_taken(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]

            said = refused("run", "--port", str(port), "--state", str(tmp_path))

        assert said == (
            f"Port {port} is in use by another program or not allowed: "
            "choose another port with PORT=, as in `make run PORT=8001`.\n"
        )

    def test_an_address_of_another_machine(self, tmp_path: Path) -> None:
        said = refused("run", "--bind", "192.0.2.1", "--port", str(free_port()), "--state", str(tmp_path))

        assert said == "192.0.2.1 is not an address of this machine: choose another with BIND=.\n"

    def test_a_folder_that_all_users_share(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o1777)

        said = refused("run", "--port", str(free_port()), "--state", str(tmp_path))

        assert said == f"{tmp_path} is shared with other users: choose another folder with STATE=.\n"

    def test_a_port_that_does_not_exist(self, tmp_path: Path) -> None:
        said = refused("run", "--port", "65536", "--state", str(tmp_path))

        assert said.startswith("Port 65536 is in use by another program or not allowed: ")

    def test_a_database_of_another_kind(self, tmp_path: Path) -> None:
        said = self.refused_database("postgres://root:secret@127.0.0.1/face_search", tmp_path)

        assert said == "DATABASE_URL must begin with mysql:// or sqlite:///.\n"

    @pytest.mark.parametrize("url", ["mysql://127.0.0.1", "mysql://127.0.0.1:99999/face_search", "sqlite:///"])
    def test_a_database_url_without_a_database(self, tmp_path: Path, url: str) -> None:
        said = self.refused_database(url, tmp_path)

        assert said == "DATABASE_URL must be mysql://user:password@host:port/database or sqlite:///file.\n"

    def test_a_dead_database_server(self, tmp_path: Path) -> None:
        port = free_port()

        cause, said = self.refused_database(f"mysql://root:secret@127.0.0.1:{port}/x", tmp_path).splitlines()

        assert "Connection refused" in cause
        assert said == f"The database at mysql://root:***@127.0.0.1:{port}/x cannot be used; see the line above."

    def test_a_wrong_password(self, tmp_path: Path, mysql_server: int) -> None:
        url = f"mysql://nobody:secret@127.0.0.1:{mysql_server}/x"

        cause, said = self.refused_database(url, tmp_path).splitlines()

        assert "Access denied" in cause
        assert "secret" not in cause + said

    def test_no_model_pack(self, tmp_path: Path) -> None:
        said = refused("run", "--port", str(free_port()), "--state", str(tmp_path), MODEL_DIR=str(tmp_path))

        assert said.startswith(f"there is no model card at {tmp_path}")
        assert said.count("\n") == 1

    def test_a_second_stack_on_the_same_folder(self, sqlite_stack: LocalStack) -> None:
        said = refused("run", "--port", str(free_port()), "--state", str(sqlite_stack.state))

        assert said == (
            f"Another local stack already uses {sqlite_stack.state}: "
            "stop it first, or choose another folder with STATE=.\n"
        )
        assert HttpApi(sqlite_stack.port).get("/health").status == 200

    @staticmethod
    def refused_database(url: str, state: Path) -> str:
        return refused("run", "--port", str(free_port()), "--state", str(state), DATABASE_URL=url)


class TestEnds:
    @pytest.mark.usefixtures("interruptible")
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_a_signal_stops_everything(self, tmp_path: Path, number: signal.Signals) -> None:
        with local_stack(tmp_path / "state") as running:
            assert [child for child in running.children if "infra.local.moto_server" in child.command]

            assert running.stop(number) == 0

            assert running.left_behind() == []
            assert "Traceback" not in running.log
            with socket.create_server(("127.0.0.1", running.port)):
                pass

    def test_a_signal_stops_it_while_it_is_busy(self, tmp_path: Path) -> None:
        with local_stack(tmp_path / "state") as running, socket.create_connection(("127.0.0.1", running.port)) as idle:
            idle.sendall(b"POST /detect HTTP/1.1\r\nContent-Length: 1000\r\n\r\n")

            assert running.stop() == 0

            assert running.left_behind() == []

    @pytest.mark.usefixtures("interruptible")
    @pytest.mark.parametrize("numbers", [[signal.SIGTERM], [signal.SIGINT], [signal.SIGINT, signal.SIGINT]])
    def test_a_stop_during_requests_is_clean(self, tmp_path: Path, numbers: list[signal.Signals]) -> None:
        """Requests in different states: networks run in C++ threads, a body arrives, a connection idles, one waits."""
        with local_stack(tmp_path / "state") as running, ExitStack() as opened:
            before = cpu_seconds(running.process.pid)
            content_type, body = form(("image_file", large_picture()))
            large = head("POST", "/detect", f"Content-Type: {content_type}", f"Content-Length: {len(body)}") + body
            for sent in (large, large, large, large, large[:-100], b"", b"GET /he", head("GET", "/info")):
                opened.enter_context(Connection(running.port)).send(sent)
            while cpu_seconds(running.process.pid) < before + 1:  # wait until the first pictures are being processed
                time.sleep(0.05)

            for number in numbers[:-1]:
                running.process.send_signal(number)
                assert running.logs("GET /info")
            assert running.stop(numbers[-1]) == 0

            assert "terminate" not in running.log
            assert "Traceback" not in running.log
            assert running.left_behind() == []

    def test_moto_does_not_outlive_a_stack_that_was_killed(self, tmp_path: Path) -> None:
        with local_stack(tmp_path / "state") as running:
            assert running.stop(signal.SIGKILL) == -signal.SIGKILL

            end = time.monotonic() + MAX_ORPHAN_SECONDS
            while running.left_behind() and time.monotonic() < end:
                time.sleep(0.05)
            assert running.left_behind() == []

    def test_a_stack_starts_again_after_it_was_killed(self, tmp_path: Path) -> None:
        with local_stack(tmp_path / "state") as killed:
            token = HttpApi(killed.port).added(pictures.drawing(), "Ada")
            killed.stop(signal.SIGKILL)

        with local_stack(tmp_path / "state") as running:
            assert tokens(HttpApi(running.port).search_picture(pictures.drawing())) == [token]


class TestState:
    def test_a_second_start_finds_the_faces_of_the_first(self, tmp_path: Path) -> None:
        with local_stack(tmp_path / "state") as first:
            api = HttpApi(first.port)
            ada, removed = api.added(pictures.drawing(), "Ada"), api.added(pictures.astronaut(), "Eileen")
            temporary = api.token(pictures.drawing())
            api.remove(removed)

        with local_stack(tmp_path / "state") as second:
            api = HttpApi(second.port)

            assert api.get("/info").body["faces"] == 1
            assert names(api.search_picture(pictures.drawing())) == ["Ada"]
            # Detected faces are gone. Renaming a known face needs no temporary entry.
            assert api.get("/search", face_token=temporary, threshold="0.65").status == 404
            assert api.add(ada, face_name="Ada Lovelace")["face_neme"] == "Ada Lovelace"
            assert api.get("/search", face_token=ada, threshold="0.65").status == 200
            api.remove(ada)

        with local_stack(tmp_path / "state") as third:
            assert HttpApi(third.port).get("/info").body["faces"] == 0
        assert list((tmp_path / "state" / "crops").iterdir()) == []
        assert not (tmp_path / "state" / "stack.json").exists()

    def test_a_second_start_has_the_crops_of_the_first(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with local_stack(tmp_path / "state") as first:
            HttpApi(first.port).added(pictures.drawing(), "Ada")
        [crop] = (tmp_path / "state" / "crops").glob("*.jpg")

        monkeypatch.chdir(ROOT)
        with mock.patch.dict(os.environ, environment(), clear=True), stack(tmp_path / "state", 0) as settings:
            s3 = sdk.client("s3")
            [key] = [item["Key"] for item in s3.list_objects_v2(Bucket=settings.crops_bucket)["Contents"]]
            kept = s3.get_object(Bucket=settings.crops_bucket, Key=key)
            jpeg = kept["Body"].read()

        assert key == f"faces/{crop.name}"
        assert jpeg == crop.read_bytes()
        assert kept["LastModified"].timestamp() == pytest.approx(crop.stat().st_mtime, abs=1)
        assert kept["ContentType"] == "image/jpeg"
        assert len(kept["Metadata"]["landmarks"].split(",")) == 10
        assert kept["Metadata"]["detector"] == ModelPack(ROOT / settings.model_dir).detector_id

    def test_the_sample_picture_shows_a_face(self, sqlite_stack: LocalStack, sqlite_api: HttpApi) -> None:
        picture = sqlite_stack.state / "sample.jpg"

        assert f"curl -F image_file=@{picture} http://localhost:{sqlite_stack.port}/detect" in sqlite_stack.log
        assert len(sqlite_api.detect(picture.read_bytes())) == 1

    def test_local_requests_bypass_a_proxy(self, tmp_path: Path) -> None:
        proxy = f"http://127.0.0.1:{free_port()}"

        with local_stack(tmp_path / "state", HTTP_PROXY=proxy, HTTPS_PROXY=proxy, http_proxy=proxy) as running:
            assert len(HttpApi(running.port).detect(pictures.drawing())) == 1

    def test_the_log_shows_neither_names_nor_tokens(self, sqlite_stack: LocalStack, sqlite_api: HttpApi) -> None:
        token = sqlite_api.added(pictures.drawing(), "Ada-Lovelace")
        sqlite_api.search(token)
        sqlite_api.get(f"/faces/{token}/crop")

        assert sqlite_stack.logs("GET /addface 200")
        assert sqlite_stack.logs("GET /faces/{face_token}/crop 200")
        assert "Lovelace" not in sqlite_stack.log
        assert token not in sqlite_stack.log


class TestLimits:
    def test_a_setting_raises_the_limits_of_pictures(self, tmp_path: Path) -> None:
        largest = pictures.padded(pictures.blank(5000, 60), 4_400_000)
        with local_stack(tmp_path / "state", MAX_IMAGE_BYTES="4400000", MAX_IMAGE_SIDE_PX="5000") as running:
            api = HttpApi(running.port)
            told = api.get("/info").body["limits"]
            assert (told["image_bytes"], told["image_side_px"]) == (4_400_000, [48, 5000])
            assert "48 to 5000 px a side and at most 4400000 bytes" in api.get("/openapi.json").text

            assert api.post("/detect", image_file=largest).status == 200
            for carrier in (JSON, FORM):
                text = base64.urlsafe_b64encode(largest).decode()
                assert sent(api, carrier, "/detect", image_base64=text).status == 200
            assert api.post("/detect", image_file=largest + b"\0").status == 413
            both = api.post("/compare", image_file1=largest, image_file2=largest)
            detail = "a multipart/form-data body may have at most 4669440 bytes, and each picture 4400000"
            assert (both.status, both.body["detail"]) == (413, detail)
            assert api.post("/detect", image_file=pictures.blank(5001, 60)).body["detail"].endswith("it is 5001 x 60")

    def test_a_limit_out_of_range_is_refused(self, tmp_path: Path) -> None:
        said = refused("run", "--port", str(free_port()), "--state", str(tmp_path), MAX_IMAGE_SIDE_PX="8193")

        assert said == "MAX_IMAGE_SIDE_PX must be a whole number from 4096 to 8192.\n"


class TestChaliceLocal:
    def test_chalice_local_serves_the_stacks_data(self, tmp_path: Path) -> None:
        moto_port = free_port()
        with local_stack(tmp_path / "state", "stack", moto_port) as running:
            database_url = f"sqlite:///{tmp_path / 'state' / 'face_set.sqlite'}"
            assert f"terminal: DATABASE_URL={database_url} .venv/bin/chalice local --stage local\n" in running.log
            said = refused("stack", "--moto-port", str(moto_port), "--state", str(tmp_path / "another"))
            assert said.startswith(f"Port {moto_port} is in use by another program or not allowed: ")

            with chalice_local(tmp_path, database_url, moto_port) as api:
                token = api.added(pictures.drawing(), "AC/DC %41")
                assert tokens(api.search_picture(pictures.drawing())) == [token]
                assert api.get("/people/ac%2Fdc%20%2541/faces").body["faces"][0]["face_token"] == token
                picture = as_base64(pictures.drawing())
                for carrier in (JSON, FORM):
                    found = sent(api, carrier, "/search", image_base64=picture, threshold=0.65)
                    assert tokens(found.body) == [token]
                assert api.send("POST", "/detect", content_type=JSON, body=b'{"a": ').status == 400
                assert api.get("/search", face_token="no").status == 400
        assert len(list((tmp_path / "state" / "crops").glob("*.jpg"))) == 1
