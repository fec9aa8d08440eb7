"""The API over HTTP."""

from __future__ import annotations

import requests

from tests.e2e.api import Api, Query, Reply

TIMEOUT_SECONDS = 60


class HttpApi(Api):
    """One client, which reuses its connection as long as the server keeps it open."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.url = f"http://127.0.0.1:{port}"
        self.session = requests.Session()
        self.session.trust_env = False  # a proxy cannot reach this machine

    def carry(self, method: str, path: str, query: Query, content_type: str | None, body: bytes | None) -> Reply:
        headers = {} if content_type is None else {"Content-Type": content_type}
        response = self.session.request(
            method, self.url + path, params=list(query), headers=headers, data=body, timeout=TIMEOUT_SECONDS
        )
        return Reply(
            response.status_code, {name.lower(): value for name, value in response.headers.items()}, response.text
        )
