"""`make re-embed` beside a running stack: only distances change for clients, and no face is lost."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from chalicelib.stores.database.connect import connect
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.vision.model_pack import ModelPack
from infra.local import running_stack
from models.build import CARDS, build
from tests.e2e import pictures
from tests.e2e.api import tokens
from tests.e2e.http_api import HttpApi
from tests.e2e.local_stack import ROOT, LocalStack, environment, local_stack
from tests.integration.two_packs import Place
from tests.packs import RETAIL_FILES, UNIT_LENGTH, changed_card, folder_with_sources, variant

MAX_SECONDS = 120
RETAIL = all(file.exists() for file in RETAIL_FILES.values())
EVERYTHING = "100"
# A client's pause between two rounds, which leaves the processor to the commands that it waits for.
PAUSE_SECONDS = 0.2
# More than two batches of 64, so that a run can be killed between batches.
FACES = 130


class Site:
    """A state folder, a folder of packs with dlib as the current pack, and the card of another pack."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.state = folder / "state"
        self.packs = folder_with_sources(folder / "packs")
        self.current = self.packs / "current"
        self.current.symlink_to(variant(self.packs).name)
        # The recommended pack, with another dimension and network. Without its files, dlib's pack with another length.
        if RETAIL:
            self.other, self.card, self.files = "retail-0095", CARDS / "retail-0095.toml", [*RETAIL_FILES.values()]
        else:
            self.other, self.card, self.files = "unit", folder / "unit.toml", []
            self.card.write_text(changed_card((CARDS / "dlib.toml").read_text(), UNIT_LENGTH))
        self.settings = {"MODEL_DIR": str(self.current)}
        if database_url.startswith("mysql"):
            self.settings["DATABASE_URL"] = database_url
        self.database_url = self.settings.get("DATABASE_URL", f"sqlite:///{self.state / 'face_set.sqlite'}")
        self.face_set = FaceSet(connect(self.database_url))

    @contextmanager
    def stack(self) -> Iterator[LocalStack]:
        with local_stack(self.state, "run", None, **self.settings) as running:
            yield running

    def add(self, seeds: range, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Add faces with crops to the running stack's stores; return their tokens."""
        running = running_stack.find(self.state)
        assert running is not None
        with monkeypatch.context() as patch:
            for name, value in {
                "ENDPOINT_URL": running.endpoint,
                "ACCESS_KEY_ID": "x",
                "SECRET_ACCESS_KEY": "x",
            }.items():
                patch.setenv(f"AWS_{name}", value)
            patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
            process = Place(self.packs, self.database_url, "face-search-tokens", "face-search-crops").process("dlib")
            faces = process.add(seeds)
            process.parts.close()
        return [face.token for face in faces]

    def start(self, *options: str, **settings: str) -> subprocess.Popen[str]:
        """Start the command of `make re-embed`."""
        files = ["--from", *map(str, self.files)] if self.files else []
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "infra.local.re_embed",
                str(self.card),
                "--state",
                str(self.state),
                *files,
                *options,
            ],
            cwd=ROOT,
            env=environment(**{**self.settings, **settings}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def re_embed(self, *options: str, code: int = 0, **settings: str) -> str:
        """Run the command to its end; return its output."""
        process = self.start(*options, **settings)
        said, _ = process.communicate(timeout=MAX_SECONDS)
        assert process.returncode == code, said
        assert "Traceback" not in said
        return said

    def embedding_id(self, pack: str) -> str:
        return ModelPack(self.packs / pack).embedding_id

    def distances(self, embedding_id: str) -> dict[str, dict[str, float]]:
        """Return the distances from every face to all others under a model, by brute force in float64."""
        ids = [row.id for row in self.face_set.vectors(0, 2**62)]
        rows = self.face_set.fetch(ids, embedding_id)
        vectors = np.array([row.embedding for row in rows], np.float64)
        names = [row.token for row in rows]
        return {
            name: dict(zip(names, np.sqrt(np.sum((vectors - one) ** 2, axis=1)).tolist(), strict=True))
            for name, one in zip(names, vectors, strict=True)
        }


@pytest.fixture
def site(tmp_path: Path, database_url: str) -> Site:
    return Site(tmp_path, database_url)


@pytest.fixture(scope="module")
def other_pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the pack built from a site's card."""
    site = Site(tmp_path_factory.mktemp("other"), "sqlite")
    return build(site.card, site.packs, site.files)


on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Client:
    """Searches, adds and removes repeatedly, and keeps the replies."""

    def __init__(self, port: int, lasting: list[str]) -> None:
        self._api = HttpApi(port)
        self._lasting = lasting
        self.replies: list[tuple[str, dict[str, float]]] = []

    def work(self, done: threading.Event) -> None:
        rounds = 0
        while not done.is_set():
            own = self._api.added(pictures.drawing(), "own")
            probe = self._lasting[rounds % len(self._lasting)]
            found = self._api.search(probe, EVERYTHING)
            assert own in tokens(found)
            self.replies.append((probe, {m["face_token"]: m["distant"] for m in found["cmp_result"]}))
            assert own in tokens(self._api.search_picture(pictures.drawing(), "0.1"))
            self._api.remove(own)
            assert own not in tokens(self._api.search(probe, EVERYTHING))
            rounds += 1
            done.wait(PAUSE_SECONDS)


def test_killed_and_run_again_while_clients_work(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with site.stack() as running:
        lasting = site.add(range(FACES), monkeypatch)
        api = HttpApi(running.port)
        clients = [Client(running.port, lasting) for _ in range(2)]
        done = threading.Event()
        with ThreadPoolExecutor(len(clients)) as pool:
            working = [pool.submit(client.work, done) for client in clients]
            try:
                killed = site.start()
                assert killed.stdout is not None
                assert any(line.startswith("64 of 13") for line in killed.stdout)
                killed.send_signal(signal.SIGKILL)
                killed.communicate()
                assert api.get("/info").body["model"]["embedding_id"] == site.embedding_id("dlib")

                said = site.re_embed()
                assert api.get("/info").body["model"]["embedding_id"] == site.embedding_id(site.other)
                replies = len(clients[0].replies)
                while len(clients[0].replies) < replies + 3 and not working[0].done():
                    time.sleep(0.05)
            finally:
                done.set()
            for worker in working:
                worker.result()

        assert f"The face set now uses the model pack {site.other}.\nModel pack: {site.other}\n" in said
        made = re.search(r"^(\d+) faces were re-embedded", said, re.MULTILINE)
        assert made is not None
        assert 0 < int(made[1]) < FACES - 32  # the killed run's batches were not repeated
        assert site.current.resolve().name == site.other
        assert f"is served by the pack {site.other}, not by MODEL_DIR's" in running.log
        under = {pack: site.distances(site.embedding_id(pack)) for pack in ("dlib", site.other)}
        answered = [
            [pack for pack, expected in under.items() if _is(found, expected[probe], lasting, probe)]
            for client in clients
            for probe, found in client.replies
        ]
        assert all(len(packs) == 1 for packs in answered)
        assert {packs[0] for packs in answered} == {"dlib", site.other}

    with site.stack() as again:
        info = HttpApi(again.port).get("/info").body
        assert (info["model"]["name"], info["faces"]) == (site.other, FACES)
        assert len(tokens(HttpApi(again.port).search(lasting[0], EVERYTHING))) == FACES - 1
        assert "is served by" not in again.log


def _is(found: dict[str, float], expected: dict[str, float], lasting: list[str], probe: str) -> bool:
    return all(found.get(token) == expected[token] for token in lasting if token != probe)


@on_sqlite
class TestAlone:
    @pytest.fixture(autouse=True)
    def _built_before(self, site: Site, other_pack: Path) -> None:
        shutil.copytree(other_pack, site.packs / other_pack.name)

    def test_re_embed_starts_a_stack_if_none_is_running(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        with site.stack():
            site.add(range(3), monkeypatch)

        said = site.re_embed()

        assert said.startswith(f"No local stack is running on {site.state}: starting one for this command.\n")
        assert "3 faces were re-embedded.\n" in said
        assert site.face_set.state().embedding_id == site.embedding_id(site.other)
        assert not (site.state / "stack.json").exists()

    def test_a_lost_crop_is_named_and_stops_the_change(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        with site.stack():
            token = site.add(range(3), monkeypatch)[1]
        known = site.face_set.get(token, site.embedding_id("dlib"))
        assert known is not None
        (site.state / "crops" / known.crop).unlink()

        said = site.re_embed(code=1)

        assert f"1 could not be embedded, because their crops are missing or broken:\n  {token}\n" in said
        assert "because 1 faces would be lost: remove them, or run this again with LEAVE_BEHIND=yes.\n" in said
        assert site.face_set.state().embedding_id == site.embedding_id("dlib")
        assert site.current.resolve().name == "dlib"

        site.re_embed("--leave-behind")
        assert site.face_set.state().embedding_id == site.embedding_id(site.other)

    def test_a_face_set_other_than_the_running_stacks_is_refused(self, site: Site) -> None:
        with site.stack():
            said = site.re_embed(code=1, DATABASE_URL="sqlite:///elsewhere.sqlite")

        assert (
            said == f"The running stack uses the face set {site.database_url}: run this with the same DATABASE_URL.\n"
        )

    def test_a_stack_without_the_face_sets_pack_reports_it(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        with site.stack():
            site.add(range(1), monkeypatch)
        site.re_embed()
        site.current.unlink()
        site.current.symlink_to("dlib")
        shutil.rmtree(site.packs / site.other)

        refused = subprocess.run(
            [sys.executable, "-m", "infra.local", "run", "--port", "0", "--state", str(site.state)],
            cwd=ROOT,
            env=environment(**site.settings),
            capture_output=True,
            text=True,
            timeout=MAX_SECONDS,
            check=False,
        )

        assert refused.returncode == 1
        cause, said = refused.stderr.splitlines()
        assert "no pack beside MODEL_DIR" in cause
        assert "`make re-embed`" in cause
        assert said == "The face set cannot be served; see the line above."

    def test_discard_removes_the_old_vectors(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        with site.stack():
            site.add(range(3), monkeypatch)
        site.re_embed()

        said = subprocess.run(
            [sys.executable, "-m", "chalicelib.maintenance.operations", "discard"],
            cwd=ROOT,
            env={**os.environ, **site.settings, "DATABASE_URL": site.database_url},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

        assert said.startswith("3 vectors of other models were erased; ")
        assert {row.embedding_id for row in site.face_set.vectors(0, 2**62)} == {site.embedding_id(site.other)}
