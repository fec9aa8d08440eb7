"""The function `migrate` creates the database, its users and tables, and grants the rights that the service needs.

MariaDB has no AWSAuthenticationPlugin, so the users log in with passwords here. Everything else is as on RDS.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pymysql
import pytest

import app
from chalicelib import wiring
from chalicelib.errors import ServiceError
from chalicelib.gallery import snapshot
from chalicelib.maintenance import operations
from chalicelib.settings import SettingsError
from chalicelib.stores.database import database_users
from chalicelib.stores.database.connect import connect
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.stores.face_set.schema import MIGRATIONS
from chalicelib.stores.face_set.segments import SegmentStore
from infra.local import resources
from tests.conftest import RESOURCES_FILE, absent
from tests.e2e.gallery_setting import on_s3_vectors
from tests.e2e.lambda_api import LambdaApi, handler
from tests.e2e.walk import Walk
from tests.examples import known_face
from tests.integration.test_database_tls import write_certificate
from tests.services import as_root, mysql_program, own_mysql

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

ADMINISTRATOR = {"user": "master", "password": "Adm1n's %s \\ s3cret"}
PASSWORD = "a-users-password"
# As in the deployed DATABASE_URL.
DATABASE = "facesearch"
MIGRATED = f"the schema is at version {len(MIGRATIONS)}"
# The rights of RDS's master user: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.MasterAccounts.html
MASTERS = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, INDEX, ALTER, REFERENCES, CREATE USER"


@dataclass
class Server:
    port: int
    certificate: Path

    def url(self, user: str, database: str = DATABASE, password: str = PASSWORD) -> str:
        return f"mysql://{user}:{password}@localhost:{self.port}/{database}?ca={self.certificate}"

    def execute(self, *statements: str) -> list[Any]:
        """Run statements as root; return the rows of the last one."""
        return as_root(self.port, *statements)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with TLS and a master user."""
    if mysql_program() is None:
        absent("neither mariadbd nor mysqld to start a server with a certificate")
    certificate, key = write_certificate(tmp_path_factory.mktemp("tls"), "localhost")
    # MariaDB has no partial_revokes; MYSQLD may name a MySQL server, which has.
    options = ("--skip-name-resolve", "--loose-partial-revokes=ON")
    with own_mysql(f"--ssl-cert={certificate}", f"--ssl-key={key}", *options) as port:
        server = Server(port, certificate)
        user, password = ADMINISTRATOR["user"], pymysql.converters.escape_string(ADMINISTRATOR["password"])
        server.execute(
            f"CREATE USER '{user}'@'%' IDENTIFIED BY '{password}'",
            f"GRANT {MASTERS} ON *.* TO '{user}'@'%' WITH GRANT OPTION",
        )
        yield server


@pytest.fixture
def empty(server: Server) -> Server:
    """The server, without the service's database and users."""
    server.execute(f"DROP DATABASE IF EXISTS {DATABASE}", "DROP DATABASE IF EXISTS faceXsearch")
    server.execute("DROP USER IF EXISTS face_search, face_search_owner")
    return server


@pytest.fixture(autouse=True)
def with_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        database_users,
        "create",
        partial(database_users.create, authentication=f"IDENTIFIED BY '{PASSWORD}'", sleep=lambda _: None),
    )


def migrate(server: Server, event: dict[str, Any], url: str | None = None) -> str:
    """Invoke the function as the owner of the tables."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", url or server.url("face_search_owner"))
        patch.setenv("GALLERY", "memory")
        wiring.reset()
        try:
            return str(app.migrate(event, None))
        finally:
            wiring.reset()


def refused(server: Server, user: str, statement: str, database: str = DATABASE) -> bool:
    try:
        connect(server.url(user, database)).write(lambda transaction: transaction.execute(statement))
    except ServiceError:
        return True
    return False


def test_the_first_run_creates_everything_and_the_second_nothing(empty: Server) -> None:
    assert migrate(empty, {"administrator": ADMINISTRATOR}) == MIGRATED
    assert migrate(empty, {"administrator": ADMINISTRATOR}) == MIGRATED
    assert migrate(empty, {}) == MIGRATED

    [(_, charset)] = empty.execute(f"SHOW CREATE DATABASE {DATABASE}")
    assert "utf8mb4_bin" in charset
    assert empty.execute("SELECT user, host, ssl_type FROM mysql.user WHERE user LIKE 'face%' ORDER BY user") == [
        ("face_search", "%", "ANY"),
        ("face_search_owner", "%", "ANY"),
    ]


def test_users_may_do_what_they_need_and_no_more(empty: Server) -> None:
    migrate(empty, {"administrator": ADMINISTRATOR})
    empty.execute("CREATE DATABASE faceXsearch", "CREATE TABLE faceXsearch.others (id INT)")

    changes = ("CREATE TABLE t (id INT)", "ALTER TABLE t ADD COLUMN n INT", "CREATE INDEX i ON t (n)", "DROP TABLE t")
    assert [refused(empty, "face_search_owner", change) for change in changes] == [False] * 4
    empty.execute(f"CREATE TABLE {DATABASE}.t (id INT)")
    changes = ("CREATE TABLE u (id INT)", "ALTER TABLE t ADD COLUMN n INT", "CREATE INDEX i ON t (id)", "DROP TABLE t")
    assert [refused(empty, "face_search", change) for change in changes] == [True] * 4
    assert not refused(empty, "face_search", "INSERT INTO t (id) VALUES (1)")
    for user in database_users.PRIVILEGES:
        assert refused(empty, user, "INSERT INTO others (id) VALUES (1)", "faceXsearch")
        assert refused(empty, user, "CREATE USER another")
        assert refused(empty, user, f"GRANT SELECT ON {DATABASE}.* TO {user}")


def test_the_user_of_the_service_may_compact(empty: Server) -> None:
    migrate(empty, {"administrator": ADMINISTRATOR})
    database = connect(empty.url("face_search"))
    FaceSet(database).add(known_face())

    assert snapshot.compact(FaceSet(database), SegmentStore(database)) == 1


def test_users_can_log_in_over_tls_only(empty: Server) -> None:
    migrate(empty, {"administrator": ADMINISTRATOR})

    for user in database_users.PRIVILEGES:
        with pytest.raises(pymysql.OperationalError, match="1045"):
            pymysql.connect(host="127.0.0.1", port=empty.port, user=user, password=PASSWORD, ssl_disabled=True)


def test_an_existing_user_keeps_its_login(empty: Server) -> None:
    empty.execute("CREATE USER 'face_search'@'%' IDENTIFIED BY 'kept'")

    migrate(empty, {"administrator": ADMINISTRATOR})

    assert connect(empty.url("face_search", password="kept")).read("SELECT version FROM face_set_version") == [(0,)]


@pytest.mark.parametrize(
    "event",
    [
        {"administrator": {"user": "master", "password": "s3cret-guess"}},
        {"administrator": {"user": "master", "password": ["s3cret-guess"]}},
        {"administrator": {"user": "", "password": "s3cret-guess"}},
        {"administrator": {"password": "s3cret-guess"}},
        {"administrator": "s3cret-guess"},
        {"administrator": {"user": "master", "password": "s3cret-guess"}, "more": 1},
        {"user": "master", "password": "s3cret-guess"},
    ],
)
def test_no_message_repeats_the_password(
    empty: Server, event: dict[str, Any], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises((ServiceError, SettingsError)) as raised:
        migrate(empty, event)

    assert "s3cret-guess" not in "".join([str(raised.value), caplog.text, *capfd.readouterr()])
    assert empty.execute("SHOW DATABASES LIKE 'face%'") == []


@pytest.mark.parametrize("where", ["sqlite:///{folder}/faces", "mysql://root@127.0.0.1:{port}/face_search"])
def test_an_administrator_needs_a_verified_server(empty: Server, where: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL must"):
        migrate(empty, {"administrator": ADMINISTRATOR}, where.format(folder=tmp_path, port=empty.port))


@pytest.mark.parametrize("name", ["face_search", "face%20search", "a%60b", "a%3Fb", "a%25b"])
def test_a_database_name_with_special_characters_is_refused(empty: Server, name: str) -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL must name a database of"):
        migrate(empty, {"administrator": ADMINISTRATOR}, empty.url("face_search_owner", name))


@pytest.fixture(scope="class")
def walker(server: Server, dynamodb: DynamoDBClient, s3: S3Client) -> Iterator[LambdaApi]:
    server.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            database_users, "create", partial(database_users.create, authentication=f"IDENTIFIED BY '{PASSWORD}'")
        )
        migrate(server, {"administrator": ADMINISTRATOR})
    name = f"face-search-{secrets.token_hex(8)}"
    resources.create(RESOURCES_FILE, dynamodb, s3, table_name=name, bucket_name=name)
    with handler(name, name, server.url("face_search")) as api:
        if on_s3_vectors():
            operations.rebuild_index(wiring.wiring())
        yield api


class TestWalkAsTheUserOfTheService(Walk):
    smoke_only = True

    @pytest.fixture
    def api(self, walker: LambdaApi) -> Iterator[LambdaApi]:
        with walker.on_an_empty_face_set():
            yield walker
