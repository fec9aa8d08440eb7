"""An unusable database URL is refused at once, and the message does not repeat its password."""

from __future__ import annotations

import pytest

from chalicelib.settings import SettingsError
from chalicelib.stores.database.connect import connect
from chalicelib.stores.database.database_url import MySQLLogin, parse


@pytest.mark.parametrize(
    "url",
    [
        "",
        "postgresql://user:s3cret@host/faces",
        "mysql://user:s3cret@host",
        "mysql://user:s3cret@host/",
        "mysql:///faces",
        "mysql://user:s3cret@host:port/faces",
        "mysql://user:s3cret@host:99999/faces",
        "mysql://user:s3cret@host/faces?ca=no-such-file.pem",
        "mysql://user:s3cret@[host/faces",
        "mysql://user:s3cret@host/faces?ca=",
        "mysql://user:s3cret@host/faces?CA=system",
        "mysql://user:s3cret@host/faces?ca=system&ca=system",
        "mysql://user:s3cret@host/faces?ca=system&auth=password",
        "mysql://user:s3cret@host/faces?ca=system&auth=iam",
        "mysql://user@host/faces?auth=iam",
        "mysql://host/faces?ca=system&auth=iam",
        "sqlite://face_set.sqlite",
        "sqlite:///",
    ],
)
def test_a_url_without_a_database_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL") as raised:
        connect(url)
    assert "s3cret" not in str(raised.value)


def test_a_login_does_not_show_its_password() -> None:
    login = parse("mysql://user:s3cret@host/faces?ca=system")

    assert isinstance(login, MySQLLogin)
    assert (login.password, login.ca, login.iam) == ("s3cret", "system", False)
    assert "s3cret" not in repr(login)


def test_the_first_statement_opens_the_connection() -> None:
    assert connect("mysql://user:password@host.invalid/faces").dialect == "mysql"
