"""Presigned URLs name the bucket's region, because newer regions accept no other URL."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib.stores.aws import sdk
from chalicelib.stores.aws.crops import URL_SECONDS, CropStore


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "eu-south-2"])
def test_a_presigned_url_names_the_region(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)

    parts = urlsplit(CropStore(sdk.client("s3"), "crops").presigned("a.jpg"))

    assert (parts.scheme, parts.path) == ("https", "/faces/a.jpg")
    assert parts.hostname in (f"crops.s3.{region}.amazonaws.com", "crops.s3.amazonaws.com" * (region == "us-east-1"))
    assert parse_qs(parts.query)["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert parse_qs(parts.query)["X-Amz-Expires"] == [str(URL_SECONDS)] == ["300"]
