"""AWS faults that may pass are 503, all others are 500, and no log shows what was sent."""

from __future__ import annotations

import logging
import traceback

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    IncompleteReadError,
    NoCredentialsError,
    ReadTimeoutError,
)

from chalicelib.errors import ServiceError
from chalicelib.stores.aws.sdk import faults_translated

SENT = "Ada Lovelace"


def client_error(code: str, status: int) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": SENT}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "PutItem",
    )


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (client_error("ProvisionedThroughputExceededException", 400), 503),
        (client_error("ThrottlingException", 400), 503),
        (client_error("RequestTimeout", 400), 503),
        (client_error("SlowDown", 503), 503),
        (client_error("InternalServerError", 500), 503),
        (client_error("ValidationException", 400), 500),
        (client_error("AccessDenied", 403), 500),
        (ClientError({}, "PutItem"), 500),
        (EndpointConnectionError(endpoint_url=SENT), 503),
        (ConnectTimeoutError(endpoint_url=SENT), 503),
        (ReadTimeoutError(endpoint_url=SENT), 503),
        (IncompleteReadError(actual_bytes=1, expected_bytes=2), 503),
        (NoCredentialsError(), 500),
    ],
    ids=lambda value: value.__class__.__name__ if isinstance(value, BotoCoreError) else None,
)
def test_faults(error: Exception, status: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    with pytest.raises(ServiceError) as raised, faults_translated():
        raise error

    assert (raised.value.code, raised.value.status) == ("1003", status)
    assert len(caplog.records) == 1
    assert SENT not in caplog.text
    assert SENT not in "".join(traceback.format_exception(raised.value))


def test_other_errors_are_raised_unchanged() -> None:
    with pytest.raises(KeyError), faults_translated():
        raise KeyError
