"""Parses DATABASE_URL."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from chalicelib.settings import SettingsError

SYSTEM_CA = "system"

_URL_FORMS = "DATABASE_URL must be mysql://user:password@host:port/database or sqlite:///file"


@dataclass(frozen=True, slots=True)
class MySQLLogin:
    """A user of a database on a server.

    `ca` is a file of PEM certificates, or `system`; None leaves the server unverified. With `iam`, the password is a
    token signed with AWS credentials. `pauses` says that the server stops when it is idle.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str | None
    ca: str | None
    iam: bool = False
    pauses: bool = False


def parse(url: str) -> MySQLLogin | Path:
    """Return the MySQL login or the SQLite file that `url` names.

    Parameters
    ----------
    url
        ``mysql://user:password@host:port/database?ca=file&auth=iam``, each part percent-encoded where needed.
        `ca` is a file of PEM certificates: it requires TLS and verifies the server's certificate and host name.
        ``ca=system`` verifies with the system's certificates, as RDS Proxy needs. Without `ca`, TLS is used when the
        server offers it, unverified. ``auth=iam`` requires `ca` and no password: each connection is authenticated by a
        token signed with AWS credentials. ``pauses=yes`` is for a server that stops when it is idle, as Aurora
        Serverless does: connecting may take half a minute.
        Or ``sqlite:///relative/file``, ``sqlite:////absolute/file``.

    Raises
    ------
    SettingsError
        When `url` has neither form. The message does not repeat the URL, which holds a password.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or 3306
    except ValueError:
        raise SettingsError(_URL_FORMS) from None
    name = unquote(parts.path[1:])
    if parts.scheme == "sqlite" and not parts.netloc and name:
        return Path(name)
    if parts.scheme != "mysql" or not host or not name:
        raise SettingsError(_URL_FORMS)
    ca, iam, pauses = _options(parts.query)
    password = unquote(parts.password or "")
    if iam and (ca is None or password or not parts.username):
        raise SettingsError("DATABASE_URL with auth=iam must have a user, ca= and no password")
    return MySQLLogin(host, port, unquote(parts.username or ""), password, name, ca, iam, pauses)


def _options(query: str) -> tuple[str | None, bool, bool]:
    """Return `ca`, whether `auth` is iam, and whether `pauses` is yes.

    Unknown options are refused: ignoring a misspelt `ca` would leave the server unverified.
    """
    given = parse_qsl(query, keep_blank_values=True)
    options = dict(given)
    known = options.keys() <= {"ca", "auth", "pauses"}
    if (
        len(options) < len(given)
        or not known
        or (options.get("auth", "iam"), options.get("pauses", "yes")) != ("iam", "yes")
    ):
        raise SettingsError("DATABASE_URL may have the options ca=file, ca=system, auth=iam and pauses=yes, each once")
    ca = options.get("ca")
    if ca is not None and ca != SYSTEM_CA and not Path(ca).is_file():
        raise SettingsError(f"DATABASE_URL names {ca} as the CA file, but it is not a file")
    return ca, "auth" in options, "pauses" in options
