"""Signs the tokens that RDS's IAM authentication takes as a database user's password."""

from __future__ import annotations

import threading
from typing import Any

from chalicelib.stores.aws.sdk import faults_translated

# The longest validity that RDS accepts. Only connecting needs a token; an open connection outlives it.
TOKEN_SECONDS = 900


class RdsTokenSigner:
    """Signs with the credentials and region that the SDK finds for this process. Thread-safe.

    A token is a URL without its scheme, signed in its query with signature version 4
    (https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.Connecting.html). boto3's
    `generate_db_auth_token` returns the same, but needs an RDS client, which takes three times as long.
    """

    def __init__(self, host: str, port: int, user: str) -> None:
        self._url = f"https://{host}:{port}/"
        self._user = user
        self._lock = threading.Lock()
        self._session: Any = None

    def sign(self) -> str:
        """Return a new token. Sends no request unless the credentials must be fetched or renewed.

        Raises
        ------
        ServiceError
            500 when there are no credentials or no region, 503 when credentials cannot be renewed at the moment.
        """
        from botocore.auth import SigV4QueryAuth
        from botocore.awsrequest import AWSRequest
        from botocore.exceptions import NoCredentialsError, NoRegionError

        with faults_translated():
            credentials, region = self._credentials_and_region()
            if credentials is None:
                raise NoCredentialsError
            if region is None:
                raise NoRegionError
            request = AWSRequest("GET", self._url, params={"Action": "connect", "DBUser": self._user})
            SigV4QueryAuth(credentials.get_frozen_credentials(), "rds-db", region, expires=TOKEN_SECONDS).add_auth(
                request
            )
        return str(request.url).removeprefix("https://")

    def _credentials_and_region(self) -> tuple[Any, str | None]:
        from botocore.session import Session

        with self._lock:  # sessions are not thread-safe; credentials are, and renew themselves
            if self._session is None:
                self._session = Session()
            return self._session.get_credentials(), self._session.get_config_variable("region")
