"""Common HTTP clients. Each encodes text in requests in its own way."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import requests

from tests.conftest import absent
from tests.e2e.api import form as multipart
from tests.e2e.http_api import TIMEOUT_SECONDS

PROGRAMS = Path(__file__).with_name("programs")
# With LC_ALL, non-ASCII names reach a program intact. A proxy cannot reach this machine.
ENVIRONMENT = {**os.environ, "LC_ALL": "C.UTF-8", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


@dataclass(frozen=True)
class Sent:
    """A request. The address may contain non-ASCII text; without a form the request has no body."""

    method: str
    url: str
    form: dict[str, str] | None = None


@dataclass(frozen=True)
class Answer:
    status: int
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)


class Client(ABC):
    """An HTTP client. `.ci/run` installs the `required` clients, so their absence there is a failure."""

    program: ClassVar[str]
    required: ClassVar[bool] = False
    has_forms: ClassVar[bool] = True

    def __init__(self) -> None:
        if shutil.which(self.program) is None:
            (absent if self.required else pytest.skip)(f"{self.program} is not on this machine")

    @abstractmethod
    def answers(self, sent: Sequence[Sent]) -> list[Answer]:
        """Send the requests one after another; return the answers."""


class Curl(Client):
    program = "curl"
    required = True

    def answers(self, sent: Sequence[Sent]) -> list[Answer]:
        return [self._answer(one) for one in sent]

    def _answer(self, sent: Sent) -> Answer:
        fields = [f"{name}={value}" for name, value in (sent.form or {}).items()]
        body = [part for field in fields for part in ("--form-string", field)]
        if not body and sent.method != "GET":
            body = ["-d", ""]
        text = _run("curl", "-sSg", "-w", "\n%{http_code}", "-X", sent.method, *body, sent.url)
        text, _, status = text.rpartition("\n")
        return Answer(int(status), text)


class Wget(Client):
    program = "wget"
    required = True
    has_forms = False

    def answers(self, sent: Sequence[Sent]) -> list[Answer]:
        return [self._answer(one) for one in sent]

    def _answer(self, sent: Sent) -> Answer:
        method = {"GET": [], "POST": ["--post-data="]}.get(sent.method, [f"--method={sent.method}"])
        text = _run("wget", "-qO-", "--content-on-error", "--save-headers", *method, sent.url)
        head, _, body = text.partition("\n\n")
        status = re.match(r"HTTP/1\.1 (\d{3})", head)
        assert status, text
        return Answer(int(status[1]), body)


class Requests(Client):
    """requests, the library that most Python programs use."""

    program = "python3"
    required = True

    def answers(self, sent: Sequence[Sent]) -> list[Answer]:
        with requests.Session() as session:
            session.trust_env = False
            return [self._answer(session, one) for one in sent]

    def _answer(self, session: requests.Session, sent: Sent) -> Answer:
        form = {name: (None, value) for name, value in (sent.form or {}).items()}
        reply = session.request(sent.method, sent.url, files=form, timeout=TIMEOUT_SECONDS)
        return Answer(reply.status_code, reply.text)


class Node(Client):
    """Node.js, with the `fetch` that browsers also have."""

    program = "node"
    required = True

    def answers(self, sent: Sequence[Sent]) -> list[Answer]:
        lines = "".join(json.dumps(vars(one)) + "\n" for one in sent)
        said = _run("node", str(PROGRAMS / "client.mjs"), given=lines)
        return [Answer(**json.loads(line)) for line in said.splitlines()]


class Java(Client):
    """Java's HttpURLConnection, which sends an address's text unescaped, in UTF-8."""

    program = "java"

    def answers(self, sent: Sequence[Sent]) -> list[Answer]:
        said = _run("java", str(PROGRAMS / "Client.java"), given="".join(map(self._line, sent)))
        fields = [line.split("\t") for line in said.splitlines()]
        return [Answer(int(status), base64.b64decode(body).decode()) for status, body in fields]

    @staticmethod
    def _line(sent: Sent) -> str:
        kind, body = multipart(*sent.form.items()) if sent.form else ("", b"")
        return "\t".join((sent.method, sent.url, kind, base64.b64encode(body).decode())) + "\n"


CLIENTS = (Curl, Wget, Requests, Node, Java)


def _run(*command: str, given: str = "") -> str:
    """Return a program's output; ignore the exit status, because wget fails if the answer is an error."""
    done = subprocess.run(
        command, input=given.encode(), env=ENVIRONMENT, capture_output=True, timeout=TIMEOUT_SECONDS, check=False
    )
    assert done.stdout, done.stderr.decode(errors="replace")
    return done.stdout.decode().replace("\r\n", "\n")
