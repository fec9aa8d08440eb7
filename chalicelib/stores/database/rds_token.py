"""Signs the tokens that are a database user's password under RDS's IAM authentication."""

from __future__ import annotations

import threading
from typing import Any

from chalicelib.stores.aws.sdk import faults_translated

# RDS accepts no longer ones. Only who connects needs one; an open connection outlives it.
TOKEN_SECONDS = 900


class RdsTokenSigner:
    """Signs with the process's credentials, in its region, which the SDK finds; for any number of threads.

    Signature version 4 in the query of a URL, of which the scheme is left out
    (https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.Connecting.html). boto3's
    `generate_db_auth_token` gives the same, but needs a client of RDS, which takes three times as long.
    """

    def __init__(self, host: str, port: int, user: str) -> None:
        self._url = f"https://{host}:{port}/"
        self._user = user
        self._lock = threading.Lock()
        self._session: Any = None

    def sign(self) -> str:
        """Return a new token. Asks nobody, but for credentials that have expired.

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

        with self._lock:  # a session is for one thread at a time; the credentials renew themselves for any number
            if self._session is None:
                self._session = Session()
            return self._session.get_credentials(), self._session.get_config_variable("region")
