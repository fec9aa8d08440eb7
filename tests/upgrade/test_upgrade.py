"""A release and the one before it run on one another's schema, so that an upgrade has no gap and can be undone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib import wiring
from chalicelib.maintenance import operations
from chalicelib.stores.database.connect import connect
from chalicelib.stores.face_set.schema import MIGRATIONS, migrate
from chalicelib.stores.face_set.schema_version import LOWEST_VERSION, is_behind
from tests.e2e import pictures
from tests.e2e.lambda_api import LambdaApi, handler
from tests.services import mysql_database
from tests.upgrade.previous_release import PreviousRelease, unpack

# Migrations up to this one were made before the rule.
WITHOUT_THE_RULE = 9
# The previous release could not read segments in objects, which the newest migration brought.
READS_NO_OBJECTS = 9


@pytest.fixture
def database_url(mysql_server: int) -> Iterator[str]:
    """Yield an empty database on MySQL, which refuses more than SQLite: rows without a new column's value."""
    with mysql_database(mysql_server) as name:
        yield f"mysql://root@127.0.0.1:{mysql_server}/{name}"


@pytest.fixture
def api(database_url: str, tokens_table: str, crops_bucket: str) -> Iterator[LambdaApi]:
    with handler(tokens_table, crops_bucket, database_url, "memory") as api:
        yield api


def names(api: LambdaApi) -> list[str]:
    return sorted(face["face_name"] for face in api.get("/faces").body["faces"])


def found(api: LambdaApi, picture: bytes) -> list[str]:
    return [face["face_name"] for face in api.search_picture(picture)["cmp_result"]]


def test_the_previous_release_runs_on_the_new_schema_and_this_one_goes_on(
    database_url: str, tokens_table: str, crops_bucket: str, tmp_path: Path
) -> None:
    previous = PreviousRelease(unpack(tmp_path), database_url, tokens_table, crops_bucket)
    database = connect(database_url)
    previous.call("migrate")
    before = database.read("SELECT MAX(version) FROM schema_version")[0][0]
    ada = previous.call("added", "astronaut", "Ada")

    assert migrate(database) == len(MIGRATIONS) >= before

    # A container that was there before the migration, and one that starts after it.
    for _ in range(2):
        assert previous.call("found", "astronaut_png") == ["Ada"]
        previous.call("restart")
    assert previous.call("rename", ada, "Ada Lovelace") == 200
    bob = previous.call("added", "blurred", "Bob")
    assert previous.call("listed") == ["Ada Lovelace", "Bob"]
    previous.call("compact")
    assert previous.call("remove", bob) is True
    with handler(tokens_table, crops_bucket, database_url, "memory") as api:
        assert found(api, pictures.astronaut()) == ["Ada Lovelace"]
        assert names(api) == ["Ada Lovelace"]
        api.remove(ada)
        eve = api.added(pictures.astronaut(), "Eve")
        assert found(api, pictures.astronaut_png()) == ["Eve"]
        if before >= READS_NO_OBJECTS:
            operations.compact(wiring.wiring())
    previous.call("restart")
    assert previous.call("found", "astronaut_png") == ["Eve"]
    assert previous.call("remove", eve) is True
    previous.close()


@pytest.mark.parametrize("version", range(LOWEST_VERSION, len(MIGRATIONS) + 1))
def test_this_release_runs_on_every_schema_from_the_lowest(api: LambdaApi, database_url: str, version: int) -> None:
    assert migrate(connect(database_url), version) == version

    token = api.added(pictures.astronaut(), "Ada")
    assert found(api, pictures.astronaut_png()) == ["Ada"]
    assert api.put(f"/faces/{token}", face_name="Eve").status == 200
    operations.compact(wiring.wiring())
    wiring.reset()
    assert found(api, pictures.astronaut_png()) == ["Eve"]
    assert names(api) == ["Eve"]
    assert [person["name"] for person in api.get("/people").body["people"]] == ["Eve"]
    api.remove(token)


def test_the_lowest_schema_is_older_than_the_newest_migration() -> None:
    previous = max(WITHOUT_THE_RULE, len(MIGRATIONS) - 1)

    assert previous >= LOWEST_VERSION


@pytest.mark.parametrize("version", [0, LOWEST_VERSION - 1])
def test_below_the_lowest_schema_requests_are_told_to_come_again(
    api: LambdaApi, database_url: str, version: int
) -> None:
    database = connect(database_url)
    if version:
        migrate(database, version)
    assert is_behind(database)
    token = api.token(pictures.astronaut())  # needs no database

    refused = api.get("/search", face_token=token, threshold="0.65")

    assert (refused.status, refused.headers["retry-after"]) == (503, "5")
    assert refused.body["detail"] == "the database is about to be migrated; try again"
    migrate(database)
    assert not is_behind(database)
    assert api.search(token)["cmp_result"] == []


def test_a_fault_of_the_code_is_not_mistaken_for_an_old_schema(api: LambdaApi, database_url: str) -> None:
    database = connect(database_url)
    migrate(database)
    database.write(lambda transaction: transaction.execute("ALTER TABLE face_set RENAME COLUMN face_name TO other"))
    token = api.token(pictures.astronaut())

    refused = api.get("/faces", token=token)

    assert (refused.status, refused.body["error_code"]) == (500, "1003")
