"""Calls the HTTP API for the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from .pictures import LEAST_LIMITS, Limits, prepare

CONNECT_TIMEOUT_SECONDS = 5
# API Gateway times out after 29 s.
READ_TIMEOUT_SECONDS = 60
MAX_RETRIES = 5
# Throttled, or a store is briefly unavailable. Retry-After says when to retry.
PASSING_STATUSES = (429, 503)
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


class RefusedError(Exception):
    """The service refused the request. `code` is the contract's error code, or else the HTTP status."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code


class UnavailableError(Exception):
    """The service cannot be reached, failed, or is not a face search service."""


class InsecureError(Exception):
    """The key would be sent unencrypted."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful reply: `text` is the JSON exactly as received, and `body` the parsed object."""

    text: str
    body: dict[str, Any]


class Api:
    """Sends requests to one service. Safe to use from several threads at once.

    Parameters
    ----------
    key
        Sent as `x-api-key`, and only over https or to this machine.
    token
        Sent as a bearer token, as carefully as a key.
    connections
        How many requests are sent at once.

    Raises
    ------
    InsecureError
        When the key or token would be sent over http to another machine.
    ValueError
        When the URL is invalid, or the key or token has characters that a header cannot carry.
    """

    def __init__(self, url: str, key: str | None = None, connections: int = 1, *, token: str | None = None) -> None:
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        local = parts.hostname in LOCAL_HOSTS
        secrets = {"key": key, "token": token}
        if any(secrets.values()) and parts.scheme != "https" and not local:
            raise InsecureError(f"the {'key' if key else 'token'} is sent only over https or to this machine")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("the URL must begin with http:// or https:// and a host")
        for name, secret in secrets.items():
            if secret and not (secret.isascii() and secret.isprintable()):
                raise ValueError(f"the {name} must contain only printable ASCII characters")
        retry = Retry(
            connect=2,
            read=0,
            other=0,
            status=MAX_RETRIES,
            status_forcelist=PASSING_STATUSES,
            allowed_methods=None,  # every request is safe to repeat: adding a face again renames it
            backoff_factor=0.5,
            raise_on_status=False,
        )
        self._told: Limits | None = None
        self._session = requests.Session()
        self._session.trust_env = not local  # a proxy cannot reach this machine's localhost
        adapter = HTTPAdapter(pool_maxsize=connections, max_retries=retry)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        if key:
            self._session.headers["x-api-key"] = key
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"
            # Otherwise a .netrc file with the host's name would replace the header.
            self._session.auth = lambda request: request

    def call(
        self,
        method: str,
        path: str,
        arguments: Mapping[str, str | int | list[str] | None] | None = None,
        pictures: Mapping[str, bytes] | None = None,
    ) -> Reply:
        """Send one request and return its successful reply. Arguments that are None are left out, pictures scaled down.

        A list is sent as an argument given several times.

        Raises
        ------
        RefusedError, UnavailableError
        """
        given = [
            (name, str(one))
            for name, value in (arguments or {}).items()
            for one in (value if isinstance(value, list) else [value])
            if one is not None
        ]
        form: list[tuple[str, Any]] = [(name, (None, value)) for name, value in given]
        given_pictures = pictures or {}
        pair = len(given_pictures) > 1
        form += [
            (name, ("picture", self.prepared(data, pair=pair), "image/jpeg")) for name, data in given_pictures.items()
        ]
        in_form = method in ("POST", "PUT")
        try:
            response = self._session.request(
                method,
                self.url + path,
                # Form fields stay out of the servers' logs of URLs.
                params=None if in_form else given,
                files=form if in_form else None,
                timeout=(CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS),
                allow_redirects=False,  # another address must not get the key
            )
        except UnicodeEncodeError:
            raise RefusedError("1001", "an argument is not valid Unicode text") from None
        except requests.RequestException as error:
            raise UnavailableError(
                f"{self.url} cannot be reached ({type(error).__name__}): FACE_SEARCH_URL or --url names another service"
            ) from None
        return self._reply(response)

    def prepared(self, file: bytes, *, pair: bool = False) -> bytes:
        """Return a picture within the service's limits, those of each picture of a pair if it is one of two.

        Raises
        ------
        RefusedError, UnavailableError
            When the service does not tell its limits.
        """
        return prepare(file, lambda: LEAST_LIMITS if pair else self._limits())

    def _limits(self) -> Limits:
        if self._told is None:
            limits = self.call("GET", "/info").body["limits"]
            self._told = Limits(limits["image_bytes"], limits["image_side_px"][1])
        return self._told

    def _reply(self, response: requests.Response) -> Reply:
        try:
            body = json.loads(response.text)
        except ValueError:
            body = None
        if isinstance(body, dict) and response.status_code == 200 and body.get("success") is True:
            return Reply(response.text, body)
        if not isinstance(body, dict) or response.status_code < 400:
            raise UnavailableError(f"{self.url} is not a face search service: it answered {response.status_code}")
        code = str(body.get("error_code", response.status_code))
        detail = str(body.get("detail") or body.get("message") or "no reason given")
        if response.status_code == 403:  # from API Gateway
            raise RefusedError(code, f"{detail}: is the key right?")
        if response.status_code >= 500 or response.status_code == 429:
            raise UnavailableError(f"{code}: {detail}")
        raise RefusedError(code, detail)
