"""The local server sends known faces' crops; a deployed service redirects to S3."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from chalicelib.images import decoding
from chalicelib.stores.database.base import Database
from tests.e2e import pictures
from tests.e2e.http_api import HttpApi
from tests.e2e.lambda_api import LambdaApi, handler

ANY_CLIENT = {"Accept": "text/html"}


@pytest.mark.parametrize("headers", [{}, {"Accept": "image/*"}, ANY_CLIENT])
def test_the_local_server_sends_crops(sqlite_api: HttpApi, headers: dict[str, str]) -> None:
    token = sqlite_api.added(pictures.drawing(), "Ada")
    path = sqlite_api.get(f"/faces/{token}").body["crop_url"]
    assert path == f"/faces/{token}/crop"

    reply = sqlite_api.session.get(sqlite_api.url + path, headers=headers, timeout=60)

    assert reply.status_code == 200
    assert reply.headers["content-type"] == "image/jpeg"
    assert reply.headers["cache-control"] == "private, no-store"
    asked = sqlite_api.session.head(sqlite_api.url + path, headers=headers, timeout=60)
    assert (asked.status_code, asked.content) == (200, b"")
    assert {**asked.headers, "Date": ""} == {**reply.headers, "Date": ""}
    crop = decoding.decode_crop(reply.content)
    assert crop is not None
    assert max(crop.shape[:2]) <= decoding.MAX_CROP_SIDE_PX
    assert len(sqlite_api.detect(reply.content)) == 1


@pytest.fixture
def deployed(
    tokens_table: str, crops_bucket: str, database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LambdaApi]:
    """The handler with the environment variables that Lambda sets."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "face-search-api")
    with handler(tokens_table, crops_bucket, database_url) as api:
        yield api


@pytest.mark.parametrize("database_url", ["mysql"], indirect=True)
def test_a_deployed_service_redirects_crops_to_s3(deployed: LambdaApi, crops_bucket: str) -> None:
    token = deployed.added(pictures.drawing(), "Ada")

    url = deployed.get(f"/faces/{token}").body["crop_url"]
    redirected = deployed.get(f"/faces/{token}/crop")

    assert (redirected.status, redirected.headers["cache-control"]) == (302, "private, no-store")
    for address in (url, redirected.headers["location"]):
        parts = urlsplit(address)
        assert parts.path.startswith(f"/{crops_bucket}/faces/")
        assert parse_qs(parts.query)["X-Amz-Expires"] == ["300"]
        reply = requests.get(address, timeout=60)
        assert (reply.status_code, reply.headers["content-type"]) == (200, "image/jpeg")
        assert decoding.decode_crop(reply.content) is not None

    asked = deployed.send("HEAD", f"/faces/{token}/crop")
    assert (asked.status, asked.text, asked.headers.keys()) == (302, "", redirected.headers.keys())

    deployed.remove(token)
    assert requests.get(url, timeout=60).status_code == 404
