"""A local stack killed after each kind of change has exactly the answered state after its next start."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import requests

from tests.e2e import pictures
from tests.e2e.api import tokens
from tests.e2e.http_api import TIMEOUT_SECONDS, HttpApi
from tests.e2e.local_stack import ROOT, LocalStack, environment, local_stack


class Contents(NamedTuple):
    """All listed faces, their pictures, and the face sets."""

    faces: dict[str, dict[str, Any]]
    crops: dict[str, bytes]
    face_sets: Any

    @classmethod
    def of(cls, api: HttpApi) -> Contents:
        face_sets = api.get("/face_sets").body["face_sets"]
        listed = [
            face for counted in face_sets for face in api.get("/faces", face_set=counted["face_set"]).body["faces"]
        ]
        crops = {face["face_token"]: crop(api, face["face_token"]) for face in listed}
        return cls({face["face_token"]: face for face in listed}, crops, face_sets)


def crop(api: HttpApi, token: str) -> bytes:
    reply = requests.get(f"{api.url}/faces/{token}/crop", timeout=TIMEOUT_SECONDS)
    assert reply.status_code == 200
    return reply.content


def kill(stack: LocalStack) -> None:
    """End all of a stack's processes at once, as when the machine runs out of memory."""
    for pid in (stack.process.pid, *(child.pid for child in stack.children)):
        os.kill(pid, signal.SIGKILL)
    stack.process.wait()


class Restarted:
    """A stack on one folder, killed and restarted after each step."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self._running = ExitStack()
        self._start()

    def __enter__(self) -> Restarted:
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    @contextmanager
    def step(self, *, faces: int) -> Iterator[HttpApi]:
        """Yield a client for one change that leaves a number of faces; then kill, restart and compare."""
        yield HttpApi(self._stack.port)
        # No request follows the change before the kill, because the answered change alone must persist.
        kill(self._stack)
        self._running.close()
        kept = sorted(path.name for path in (self.state / "crops").glob("*.jpg"))
        self._start()
        self.contents = Contents.of(HttpApi(self._stack.port))
        assert len(self.contents.faces) == faces
        # Each face has its own crop, and no crop is lost.
        assert len(kept) == len(set(self.contents.crops.values())) == faces

    def _start(self) -> None:
        self._stack = self._running.enter_context(local_stack(self.state))


def transfer(what: str, archive: Path, state: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "infra.local.transfer", what, str(archive), "--state", str(state)],
        cwd=ROOT,
        env=environment(),
        check=True,
        capture_output=True,
    )


def test_after_every_step(tmp_path: Path) -> None:
    archive = tmp_path / "faces.zip"
    with Restarted(tmp_path / "state") as stack:
        with stack.step(faces=1) as api:
            ada = api.added(pictures.drawing(), "Ada")
        assert stack.contents.faces[ada]["face_name"] == "Ada"
        picture = stack.contents.crops[ada]
        assert stat.S_IMODE(stack.state.stat().st_mode) == 0o700

        with stack.step(faces=1) as api:
            api.put(f"/faces/{ada}", face_name="Ada Lovelace")
        assert stack.contents.faces[ada]["face_name"] == "Ada Lovelace"
        assert stack.contents.crops[ada] == picture

        with stack.step(faces=2) as api:
            api.post("/face_sets", face_set="crew")
            eileen = api.added(pictures.astronaut(), "Eileen", face_set="crew")
            transfer("export", archive, stack.state)
        assert stack.contents.faces[eileen]["face_set"] == "crew"
        assert stack.contents.crops[ada] == picture
        both = stack.contents

        with stack.step(faces=1) as api:
            api.remove(ada)
        assert list(stack.contents.faces) == [eileen]

        with stack.step(faces=0) as api:
            assert api.send("DELETE", "/face_sets/crew").body["removed"] == 1
        assert [counted["face_set"] for counted in stack.contents.face_sets] == ["default"]
        assert list((stack.state / "crops").iterdir()) == []

        with stack.step(faces=2) as api:
            transfer("import", archive, stack.state)
            assert tokens(api.search_picture(pictures.drawing())) == [ada]
        assert stack.contents.crops == both.crops
        assert {token: face["face_name"] for token, face in stack.contents.faces.items()} == {
            ada: "Ada Lovelace",
            eileen: "Eileen",
        }
