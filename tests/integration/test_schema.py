"""Several processes may migrate concurrently, and a later migration completes an interrupted one."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from chalicelib.errors import ServiceError
from chalicelib.faces import KnownFace, new_token
from chalicelib.stores.database import mysql
from chalicelib.stores.database.base import Transaction
from chalicelib.stores.database.connect import connect
from chalicelib.stores.face_set import schema
from chalicelib.stores.face_set.face_listing import FaceListing
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.stores.face_set.face_set_names import FaceSetNames
from chalicelib.stores.face_set.folded_name import fold
from chalicelib.stores.face_set.people import People
from chalicelib.stores.face_set.schema import MIGRATIONS, migrate
from chalicelib.stores.face_set.segments import SegmentStore
from tests.counts import assert_counts_are_right
from tests.examples import known_face

STEPS = [(version, step) for version, steps in enumerate(MIGRATIONS) for step in range(len(steps) + 1)]


def assert_keeps_faces(database_url: str, face: KnownFace) -> None:
    face_set = FaceSet(connect(database_url))
    assert face_set.add(face)
    assert face_set.get(face.token, face.embedding_id) is not None
    assert face_set.version() == 1


def test_a_new_database_gets_every_version(database_url: str) -> None:
    assert migrate(connect(database_url)) == len(MIGRATIONS)
    assert_keeps_faces(database_url, known_face())


def test_migrating_again_changes_nothing(database_url: str) -> None:
    migrate(connect(database_url))
    assert_keeps_faces(database_url, known_face())

    assert migrate(connect(database_url)) == len(MIGRATIONS)

    face_set = FaceSet(connect(database_url))
    assert (face_set.count(), face_set.version()) == (1, 1)


@pytest.mark.usefixtures("patient")
def test_processes_can_migrate_concurrently(database_url: str) -> None:
    databases = [connect(database_url) for _ in range(6)]
    with ThreadPoolExecutor(len(databases)) as executor:
        reached = list(executor.map(migrate, databases))

    assert reached == [len(MIGRATIONS)] * len(databases)
    assert databases[0].read("SELECT version FROM schema_version") == [(n + 1,) for n in range(len(MIGRATIONS))]
    assert_keeps_faces(database_url, known_face())


@pytest.mark.parametrize(("version", "done"), STEPS)
def test_an_interrupted_migration_is_completed(
    database_url: str, version: int, done: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (*MIGRATIONS[:version], (*MIGRATIONS[version][:done], "THIS FAILS")))
        with pytest.raises(ServiceError):
            migrate(connect(database_url))

    assert migrate(connect(database_url)) == len(MIGRATIONS)

    assert_keeps_faces(database_url, known_face())


class TestVersionThree:
    """Vectors move from the faces' rows into their own table, and the face set gets a model."""

    OLD = "old-128-0123456789ab"

    @pytest.fixture
    def rows(self, database_url: str, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, bytes]]:
        """Create a database at version 2 with these faces, and return the rows: token, embedding id, vector."""
        rows = [(new_token(), self.OLD if n else "odd-4-0", bytes([n]) * 16) for n in range(7)]
        database = connect(database_url)
        with monkeypatch.context() as patch:
            patch.setattr(schema, "MIGRATIONS", MIGRATIONS[:2])
            migrate(database)
        insert = """INSERT INTO face_set (face_token, face_name, embedding_id, embedding, crop, created_at)
            VALUES (?, '', ?, ?, 'c.jpg', 0)"""
        database.write(lambda transaction: transaction.execute_many(insert, rows))
        monkeypatch.setattr(schema, "ROWS_PER_COPY", 3)
        return rows

    @pytest.mark.parametrize("done", range(len(MIGRATIONS[2]) + 1))
    def test_every_face_keeps_its_vector_wherever_the_migration_stopped(
        self, rows: list[tuple[str, str, bytes]], database_url: str, done: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(schema, "MIGRATIONS", (*MIGRATIONS[:2], (*MIGRATIONS[2][:done], "THIS FAILS")))
            with pytest.raises(ServiceError):
                migrate(connect(database_url))

        assert migrate(connect(database_url)) == len(MIGRATIONS)

        database = connect(database_url)
        kept = database.read(
            """SELECT face.face_token, vector.embedding_id, vector.embedding
                FROM face_set AS face JOIN face_set_embedding AS vector ON vector.face_id = face.id"""
        )
        assert sorted(kept) == sorted(rows)
        assert FaceSet(database).state() == (0, self.OLD, 0, 0)

    @pytest.mark.usefixtures("rows")
    def test_faces_under_another_model_are_reported(self, database_url: str, caplog: pytest.LogCaptureFixture) -> None:
        migrate(connect(database_url))

        assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [
            "searches miss faces of another model than the face set until `make re-embed`: 1 faces"
        ]

    @pytest.mark.usefixtures("rows")
    def test_code_of_the_previous_version_cannot_add_faces_that_the_copy_would_miss(
        self, database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """On MySQL each step commits by itself; after the first steps, the old code's statements fail."""
        until_copied = next(n for n, step in enumerate(MIGRATIONS[2]) if step is schema._copy_vectors) + 1
        monkeypatch.setattr(schema, "MIGRATIONS", (*MIGRATIONS[:2], MIGRATIONS[2][:until_copied]))
        database = connect(database_url)
        migrate(database)

        with pytest.raises(ServiceError) as raised:
            database.read("SELECT id, embedding_id, embedding FROM face_set")
        assert raised.value.status == 500


class TestVersionFour:
    """Every face gets a face set and a folded name for searches."""

    NAMES = ("Ada", "STRASSE", "Zoë", "\N{ROCKET}", "x" * 255, "")

    @pytest.fixture
    def old_rows(self, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Create a database at version 3 with faces of these names and a segment."""
        database = connect(database_url)
        with monkeypatch.context() as patch:
            patch.setattr(schema, "MIGRATIONS", MIGRATIONS[:3])
            migrate(database)
        insert = "INSERT INTO face_set (face_token, face_name, crop, created_at) VALUES (?, ?, 'c.jpg', 0)"
        rows = [(new_token(), name) for name in self.NAMES]
        database.write(lambda transaction: transaction.execute_many(insert, rows))
        segment = """INSERT INTO face_set_segment (number, embedding_id, exponent, residual, ids, codes)
            VALUES (0, 'm', 0, 0.5, ?, ?)"""
        database.write(lambda transaction: transaction.execute(segment, (bytes(8), bytes(4))))
        monkeypatch.setattr(schema, "ROWS_PER_COPY", 4)
        monkeypatch.setattr(schema, "NAMES_PER_STATEMENT", 2)

    @pytest.mark.usefixtures("old_rows")
    @pytest.mark.parametrize("done", range(len(MIGRATIONS[3]) + 1))
    def test_every_face_is_in_the_default_set_wherever_the_migration_stopped(
        self, database_url: str, done: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(schema, "MIGRATIONS", (*MIGRATIONS[:3], (*MIGRATIONS[3][:done], "THIS FAILS")))
            with pytest.raises(ServiceError):
                migrate(connect(database_url))

        assert migrate(connect(database_url)) == len(MIGRATIONS)

        database = connect(database_url)
        rows = database.read("SELECT face_name, folded, set_id FROM face_set")
        assert sorted(rows) == sorted((name, fold(name), 1) for name in self.NAMES)
        assert FaceSetNames(database).all() == [("default", len(self.NAMES))]
        assert next(SegmentStore(database).read("m")).sets == b""


class TestVersionSix:
    """Names get the form that is stored from this version on: NFC, and `unknown` for white space."""

    BEFORE = (
        "Ada",
        "José",
        "Jose\u0301",
        "JOSE\u0301",
        "\u0958" * 100,
        "\u0958" * 200,
        " ",
        "\u3000",
        "\u0399\u0308\u0301",
    )
    AFTER = ("Ada", "José", "José", "JOSÉ", "\u0915\u093c" * 100, "\u0958" * 200, "unknown", "unknown", "\u03aa\u0301")

    @pytest.mark.parametrize("done", range(len(MIGRATIONS[5]) + 1))
    def test_every_name_is_normalised_wherever_the_migration_stopped(
        self, database_url: str, done: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        database = connect(database_url)
        with monkeypatch.context() as patch:
            patch.setattr(schema, "MIGRATIONS", MIGRATIONS[:5])
            migrate(database)
        insert = """INSERT INTO face_set (face_token, face_name, folded_name, crop, created_at, set_id)
            VALUES (?, ?, ?, 'c.jpg', 0, 1)"""
        rows = [(new_token(), name, name.casefold().encode()) for name in self.BEFORE]
        database.write(lambda transaction: transaction.execute_many(insert, rows))
        monkeypatch.setattr(schema, "ROWS_PER_COPY", 4)
        monkeypatch.setattr(schema, "NAMES_PER_STATEMENT", 2)
        with monkeypatch.context() as patch:
            patch.setattr(schema, "MIGRATIONS", (*MIGRATIONS[:5], (*MIGRATIONS[5][:done], "THIS FAILS")))
            with pytest.raises(ServiceError):
                migrate(database)

        assert migrate(database) == len(MIGRATIONS)

        stored = database.read("SELECT face_name, folded FROM face_set ORDER BY id")
        assert stored == [(name, fold(name)) for name in self.AFTER]
        spellings = [face.name for face in FaceListing(database).page(1, 0, 10, "josé")]
        assert spellings == ["José", "José", "JOSÉ"]


class TestVersionEight:
    """Every person gets a row; names that differ only in outer white space become one person."""

    BEFORE = ("Ada", " ada", "ADA ", "José", "Jose", "unknown", " Unknown", *(f"person {n}" for n in range(9)))

    @pytest.mark.parametrize("done", range(len(MIGRATIONS[7]) + 1))
    def test_every_person_has_their_faces_wherever_the_migration_stopped(
        self, database_url: str, done: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        database = connect(database_url)
        with monkeypatch.context() as patch:
            patch.setattr(schema, "MIGRATIONS", MIGRATIONS[:7])
            migrate(database)
        insert = """INSERT INTO face_set (face_token, face_name, folded_name, crop, created_at, set_id)
            VALUES (?, ?, ?, 'c.jpg', 0, ?)"""
        rows = [(new_token(), name, name.casefold().encode(), set_id) for set_id in (1, 2) for name in self.BEFORE]
        database.write(lambda t: t.execute_many(insert, rows))
        database.write(lambda t: t.execute("INSERT INTO face_set_name (name) VALUES ('staff')"))
        counts = "INSERT INTO face_set_count (set_id, faces) VALUES (?, ?)"
        database.write(lambda t: t.execute_many(counts, [(set_id, len(self.BEFORE)) for set_id in (1, 2)]))
        for limit in ("ROWS_PER_COPY", "NAMES_PER_STATEMENT", "PEOPLE_PER_COPY"):
            monkeypatch.setattr(schema, limit, 4)
        with monkeypatch.context() as patch:
            patch.setattr(schema, "MIGRATIONS", (*MIGRATIONS[:7], (*MIGRATIONS[7][:done], "THIS FAILS")))
            with pytest.raises(ServiceError):
                migrate(database)

        assert migrate(database) == len(MIGRATIONS)

        assert_counts_are_right(database)
        for set_id in (1, 2):
            people = People(database).page(set_id, 0, 2**62, 100)
            assert {person.name: person.faces for person in people if person.faces > 1} == {"ADA ": 3}
            assert len(people) == 12

    def test_code_of_the_previous_version_can_neither_add_nor_rename_nor_remove(self, database_url: str) -> None:
        database = connect(database_url)
        migrate(database)

        for statement in (
            "UPDATE face_set SET face_name = 'Ada', folded_name = 'ada' WHERE face_token = 'x'",
            "INSERT INTO face_set_change (version, op, face_id, counted) SELECT version, 1, 1, 1 FROM face_set_version",
        ):
            with pytest.raises(ServiceError):
                database.write(partial(Transaction.execute, sql=statement))


class TestVersionNine:
    """A segment's bytes may be in an object."""

    INSERT = """INSERT INTO face_set_segment (number, embedding_id, exponent, residual, ids, codes, sets)
        VALUES (?, 'm', 0, 0.5, ?, 'c', '')"""

    @pytest.mark.parametrize("done", range(len(MIGRATIONS[8]) + 1))
    def test_segments_in_the_database_stay_readable_and_the_previous_code_may_add_some(
        self, database_url: str, done: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        database = connect(database_url)
        with monkeypatch.context() as patch:
            patch.setattr(schema, "MIGRATIONS", MIGRATIONS[:8])
            migrate(database)
        database.write(lambda t: t.execute(self.INSERT, (0, b"before")))
        with monkeypatch.context() as patch:
            patch.setattr(schema, "MIGRATIONS", (*MIGRATIONS[:8], (*MIGRATIONS[8][:done], "THIS FAILS")))
            with pytest.raises(ServiceError):
                migrate(database)
        database.write(lambda t: t.execute(self.INSERT, (1, b"meanwhile")))

        assert migrate(database) == len(MIGRATIONS)

        database.write(lambda t: t.execute(self.INSERT, (2, b"after")))
        assert [segment.ids for segment in SegmentStore(database).read("m")] == [b"before", b"meanwhile", b"after"]
        run = SegmentStore(database).claim()
        assert run is not None
        assert not run.has_objects


def test_a_database_newer_than_the_code_is_not_changed(database_url: str) -> None:
    database = connect(database_url)
    migrate(database)
    database.write(lambda transaction: transaction.execute("INSERT INTO schema_version (version) VALUES (99)"))

    assert migrate(database) == 99


@pytest.mark.parametrize("database_url", ["mysql"], indirect=True)
def test_waiting_too_long_for_another_migration_is_503(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def migrate_meanwhile(_: object) -> int:
        return migrate(connect(database_url))

    with monkeypatch.context() as patch:
        patch.setattr(mysql, "MIGRATION_LOCK_TIMEOUT_SECONDS", 0)
        with pytest.raises(ServiceError) as raised:
            connect(database_url).alone(migrate_meanwhile)
    assert raised.value.status == 503
    # The server frees the lock after it notices the closed connection, so this may have to wait.
    assert migrate(connect(database_url)) == len(MIGRATIONS)
