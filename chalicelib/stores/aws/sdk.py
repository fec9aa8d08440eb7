"""Creates AWS clients and raises their errors as ServiceErrors."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from chalicelib import deadline
from chalicelib.errors import StoreFailedError, StoreUnavailableError

if TYPE_CHECKING:
    from botocore.session import Session
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3vectors import S3VectorsClient

# For each IP address of the service's host name; S3's has up to eight.
CONNECT_TIMEOUT_SECONDS = 1
READ_TIMEOUT_SECONDS = 5
MAX_ATTEMPTS = 3
# An attempt starts only if the request has this much time left. This is enough for eight addresses that do not answer,
# or for one that connects late, delays `100 Continue` by the second that the SDK waits, and then stays silent.
ATTEMPT_SECONDS = 8
MAX_CONNECTIONS = 16
# The variable with the address of a container's credentials.
CREDENTIALS_URI = "AWS_CONTAINER_CREDENTIALS_FULL_URI"

# Errors with a 4xx status that are temporary.
_TRANSIENT_CODES = frozenset(
    {
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "RequestTimeoutException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)

_log = logging.getLogger(__name__)
_lock = threading.Lock()


@overload
def client(service: Literal["dynamodb"]) -> DynamoDBClient: ...
@overload
def client(service: Literal["s3"]) -> S3Client: ...
@overload
def client(service: Literal["s3vectors"], max_attempts: int = ...) -> S3VectorsClient: ...
@overload
def client(service: Literal["events"], max_attempts: int, read_timeout_seconds: float) -> Any: ...
def client(service: str, max_attempts: int = MAX_ATTEMPTS, read_timeout_seconds: float = READ_TIMEOUT_SECONDS) -> Any:
    """Return a new client with short timeouts. The SDK reads credentials, region and endpoint from the environment.

    This function and the client are thread-safe.
    """
    from botocore.config import Config

    # The host of a presigned URL must name the region. A local server's address has no region.
    style: Literal["auto", "virtual"] = "auto" if os.environ.get("AWS_ENDPOINT_URL") else "virtual"
    config = Config(
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=read_timeout_seconds,
        retries={"mode": "standard", "total_max_attempts": max_attempts},
        max_pool_connections=MAX_CONNECTIONS,
        signature_version="s3v4" if service == "s3" else None,
        s3={"addressing_style": style},
    )
    with _lock:  # sessions are not thread-safe
        create: Any = _session().create_client
        made = create(service, config=config)
    made.meta.events.register("before-send", _expect_an_attempt)
    return made


def _expect_an_attempt(request: Any, **_: Any) -> None:
    attempt = request.headers.get("amz-sdk-request", b"attempt=1")
    if not attempt.startswith(b"attempt=1"):
        deadline.store_failed()
    deadline.expect(ATTEMPT_SECONDS)


@cache
def _session() -> Session:
    """Return the process's session. All clients share it, so the SDK's data files are read once.

    It is a botocore session: boto3's imports the code for transfers of large files, unused here. The loader gets a
    fixed list of services, as listing the folders of some 400 services, twice, takes time. The loader reads JSON into
    plain dicts, which are also ordered and take half the time of botocore's OrderedDicts.
    """
    import gzip

    from botocore.loaders import JSONFileLoader, Loader
    from botocore.session import Session

    class PlainFileLoader(JSONFileLoader):
        def load_file(self, file_path: str) -> Any:
            if Path(f"{file_path}.json").is_file():
                return json.loads(Path(f"{file_path}.json").read_bytes())
            if Path(f"{file_path}.json.gz").is_file():
                return json.loads(gzip.decompress(Path(f"{file_path}.json.gz").read_bytes()))
            return None

    class LoaderOfFour(Loader):
        def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002  # the SDK's signature
            return ["dynamodb", "events", "s3", "s3vectors"]

    session = Session()
    session.register_component("data_loader", LoaderOfFour(file_loader=PlainFileLoader()))
    if CREDENTIALS_URI in os.environ:
        _ask_for_credentials_late(session)
    return session


def _ask_for_credentials_late(session: Session) -> None:
    """Let clients ask a container's address for credentials at their first request, not when they are created.

    A function with snapshots gets its credentials there. It creates its clients before the snapshot, and credentials in
    a snapshot expire: https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html
    """
    from botocore.credentials import CredentialProvider, DeferredRefreshableCredentials
    from botocore.utils import ContainerMetadataFetcher

    def ask() -> dict[str, str]:
        token = os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN")
        headers = {"Authorization": token} if token else None
        got = ContainerMetadataFetcher().retrieve_full_uri(os.environ[CREDENTIALS_URI], headers)
        names = {"access_key": "AccessKeyId", "secret_key": "SecretAccessKey", "token": "Token"}
        return {name: got[theirs] for name, theirs in {**names, "expiry_time": "Expiration"}.items()}

    class LateProvider(CredentialProvider):
        METHOD = "container-role-late"

        def load(self) -> DeferredRefreshableCredentials:
            return DeferredRefreshableCredentials(ask, self.METHOD)

    session.get_component("credential_provider").insert_before("container-role", LateProvider())


@contextmanager
def faults_translated() -> Iterator[None]:
    """Log an SDK error in the block and raise it as ServiceError: 503 for a temporary error, otherwise 500.

    The log names only the kind of error, as the SDK's messages may quote the request.
    """
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        ConnectionError,  # noqa: A004  # botocore's class hides the built-in one in this function only
        HTTPClientError,
        IncompleteReadError,
    )

    try:
        yield
    except ClientError as error:
        code = error_code(error)
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status >= 500 or code in _TRANSIENT_CODES:
            _log.warning("%s is unavailable: %s, status %s", error.operation_name, code, status)
            raise StoreUnavailableError() from None
        _log.error("%s failed: %s, status %s", error.operation_name, code, status)
        raise StoreFailedError() from None
    except (ConnectionError, HTTPClientError, IncompleteReadError) as error:
        _log.warning("an AWS service cannot be reached: %s", type(error).__name__)
        raise StoreUnavailableError() from None
    except BotoCoreError as error:
        _log.error("an AWS call failed: %s", type(error).__name__)
        raise StoreFailedError() from None


def error_code(error: Any) -> str:
    """Return the code of a botocore ClientError, such as NoSuchKey."""
    return str(error.response.get("Error", {}).get("Code", "unknown"))
