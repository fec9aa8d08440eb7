"""With auth=iam the password is a signed token, and only the verified server receives the token."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import botocore.auth
import pytest

from chalicelib.errors import ServiceError
from chalicelib.stores.database import mysql
from chalicelib.stores.database.connect import connect
from chalicelib.stores.database.rds_token import RdsTokenSigner
from chalicelib.stores.face_set.schema import MIGRATIONS, migrate
from tests.integration.iam_front import IamFront
from tests.integration.test_database_tls import write_certificate
from tests.services import mysql_database

SECRETS = {"AKIDEXAMPLE": "s3cr3t/key+with=signs"}
ROLE_TOKEN = "session/token+with=signs"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRETS["AKIDEXAMPLE"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", ROLE_TOKEN)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    return write_certificate(tmp_path, "localhost")


@pytest.fixture
def front(mysql_server: int, certificate: tuple[Path, Path]) -> Iterator[IamFront]:
    front = IamFront(mysql_server, certificate, SECRETS)
    yield front
    front.close()


def url(front: IamFront, ca: Path, database: str = "mysql") -> str:
    return f"mysql://face_search@localhost:{front.port}/{database}?ca={ca}&auth=iam"


@pytest.mark.parametrize("host", ["database.abcdefg.eu-central-1.rds.amazonaws.com", "localhost"])
@pytest.mark.parametrize("role", [True, False])
def test_a_token_equals_the_one_that_boto3_signs(host: str, role: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not role:
        monkeypatch.delenv("AWS_SESSION_TOKEN")
    now = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: now)

    token = RdsTokenSigner(host, 3307, "face_search+@ü").sign()

    assert token == boto3.session.Session().client("rds").generate_db_auth_token(host, 3307, "face_search+@ü")
    assert token.startswith(f"{host}:3307/?Action=connect&")
    assert ("X-Amz-Security-Token" in token) is role


def test_the_face_set_is_reached_with_a_token(
    front: IamFront, certificate: tuple[Path, Path], mysql_server: int
) -> None:
    with mysql_database(mysql_server) as name:
        database = connect(url(front, certificate[0], name))
        assert migrate(database) == len(MIGRATIONS)
        assert database.read("SELECT ?", ("ü" * 70_000,)) == [("ü" * 70_000,)]
        database.close()

    assert [token.count(b"X-Amz-Signature=") for token in front.tokens] == [1]


def test_every_connection_signs_its_own_token(front: IamFront, certificate: tuple[Path, Path]) -> None:
    """A connection opened after 15 minutes therefore has a valid token, too."""
    database = connect(url(front, certificate[0]))
    now = datetime.now(UTC)
    for minutes in (0, 16):
        moment = now + timedelta(minutes=minutes)
        front._clock = lambda moment=moment: moment  # type: ignore[misc]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(botocore.auth, "get_current_datetime", lambda moment=moment: moment)
            assert database.read("SELECT 1") == [(1,)]
        database.close()

    assert len(set(front.tokens)) == 2


def test_a_refused_login_is_logged_without_the_token(
    front: IamFront, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")

    with caplog.at_level(logging.DEBUG, "chalicelib"), pytest.raises(ServiceError) as raised:
        connect(url(front, certificate[0])).read("SELECT 1")

    assert raised.value.status == 500
    [record] = [record for record in caplog.records if record.name.startswith("chalicelib")]
    assert record.levelno == logging.ERROR
    assert "1045" in record.getMessage()
    assert "rds-db:connect" in record.getMessage()
    assert not any(part in caplog.text for part in ("X-Amz", ROLE_TOKEN, "another", "AKIDEXAMPLE"))


@pytest.mark.parametrize("missing", ["AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION"])
def test_without_credentials_or_region_no_connection_is_opened(
    front: IamFront,
    certificate: tuple[Path, Path],
    missing: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.delenv(missing)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    with pytest.raises(ServiceError) as raised:
        connect(url(front, certificate[0])).read("SELECT 1")

    assert (raised.value.status, front.tokens) == (500, [])
    assert "NoRegionError" in caplog.text or "NoCredentialsError" in caplog.text


class TestOtherServers:
    def test_a_server_without_tls_gets_no_token(self, mysql_server: int, certificate: tuple[Path, Path]) -> None:
        front = IamFront(mysql_server, None, SECRETS)

        with pytest.raises(ServiceError):
            connect(url(front, certificate[0])).read("SELECT 1")

        front.close()
        assert front.tokens == []

    @pytest.mark.parametrize("ca", ["another", "system"])
    def test_an_unverified_server_gets_no_token(self, front: IamFront, tmp_path: Path, ca: str) -> None:
        """The system's CAs did not sign the front's certificate."""
        file = ca if ca == "system" else write_certificate(tmp_path, "another.test")[0]

        with pytest.raises(ServiceError) as raised:
            connect(url(front, Path(file))).read("SELECT 1")

        assert (raised.value.status, front.tokens) == (503, [])

    def test_the_systems_certificates_are_enough_if_they_verify_the_server(
        self, front: IamFront, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))  # OpenSSL's own setting for the system's certificates
        mysql._verifying.cache_clear()

        assert connect(url(front, Path("system"))).read("SELECT 1") == [(1,)]
        with pytest.raises(ServiceError):  # the host name is checked
            connect(url(front, Path("system")).replace("localhost", "127.0.0.1")).read("SELECT 1")

        mysql._verifying.cache_clear()

    @pytest.mark.parametrize("with_tls", [True, False])
    def test_a_password_is_not_sent_in_clear_text_to_an_unverified_server(
        self, mysql_server: int, certificate: tuple[Path, Path], with_tls: bool
    ) -> None:
        front = IamFront(mysql_server, certificate if with_tls else None, SECRETS)

        with pytest.raises(ServiceError):
            connect(f"mysql://face_search:s3cret@localhost:{front.port}/mysql").read("SELECT 1")

        front.close()
        assert front.tokens == []
