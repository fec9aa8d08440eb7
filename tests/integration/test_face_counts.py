"""Face counts are right after every operation, and no row of a face is read for them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from chalicelib.errors import ServiceError
from chalicelib.faces import DEFAULT_SET_ID, KnownFace, new_token
from chalicelib.stores.database.base import Database
from chalicelib.stores.database.connect import connect
from chalicelib.stores.face_set import schema
from chalicelib.stores.face_set.active_model import ModelChangedError
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.stores.face_set.face_set_names import FaceSetNames
from chalicelib.stores.face_set.folded_name import fold
from chalicelib.stores.face_set.schema import MIGRATIONS, migrate
from tests.counts import assert_counts_are_right
from tests.examples import known_face

COUNTED = next(n for n, steps in enumerate(MIGRATIONS) if schema._count_faces in steps)


def test_counts_are_right_after_every_step(database: Database) -> None:
    """Random additions, renamings and removals, single and batched. Some are refused or change nothing."""
    random = np.random.default_rng(1)
    face_set, names = FaceSet(database), FaceSetNames(database)
    sets = {"default": DEFAULT_SET_ID}
    there: list[KnownFace] = []

    def face() -> KnownFace:
        return known_face()._replace(set_id=int(random.choice(list(sets.values()))))

    for step in range(150):
        some = [face() for _ in range(random.integers(1, 6))]
        known = [there[i] for i in random.permutation(len(there))[:3]]
        match step % 7:
            case 0:
                names.create(f"set{step % 4}")
                sets[f"set{step % 4}"] = names.id_of(f"set{step % 4}")
            case 1:
                assert face_set.add(some[0])
                there.append(some[0])
            case 2:
                assert face_set.add_many([*some, *known]) == len(some)
                there += some
            case 3 if known:
                assert not face_set.add(known[0])
                face_set.rename(known[0].token, "Grace")
            case 4:
                gone = face_set.remove_many([*(one.token for one in known), new_token()])
                assert len(gone) == len(known)
                there = [one for one in there if one not in known]
            case 5:
                with pytest.raises(ServiceError):
                    face_set.add_many([*some, known_face()._replace(set_id=10**6)])
                with pytest.raises(ModelChangedError):
                    face_set.add(known_face(embedding_id="other"))
            case _:
                for name, set_id in list(sets.items())[1:]:
                    if names.delete_if_empty(set_id):
                        del sets[name]
        assert_counts_are_right(database)
        assert face_set.count() == len(there)
        numbers = [(name, sum(one.set_id == set_id for one in there)) for name, set_id in sorted(sets.items())]
        assert names.all() == numbers


@pytest.mark.usefixtures("patient")
def test_counts_are_right_after_concurrent_writers(database: Database, database_url: str) -> None:
    """Four writers in two sets without a count. SQLite refuses some writes, and these must count nothing."""
    names = FaceSetNames(database)
    names.create("staff")
    sets = (DEFAULT_SET_ID, names.id_of("staff"))

    def write(seed: int) -> None:
        own = connect(database_url)
        face_set, random = FaceSet(own), np.random.default_rng(seed)
        added: list[str] = []
        for _ in range(30):
            faces = [known_face()._replace(set_id=int(random.choice(sets))) for _ in range(3)]
            try:
                face_set.add_many(faces)
                added += [face.token for face in faces]
                face_set.remove_many(added[::2])
                added = added[1::2]
            except ServiceError as error:
                if error.status != 503:
                    raise
        own.close()

    with ThreadPoolExecutor(4) as executor:
        list(executor.map(write, range(4)))

    assert_counts_are_right(database)
    assert FaceSet(database).count() > 0


def test_no_row_of_a_face_is_read_for_a_count(database: Database) -> None:
    face_set, names = FaceSet(database), FaceSetNames(database)
    names.create("staff")
    face_set.add_many([known_face(), known_face(), known_face()._replace(set_id=names.id_of("staff"))])
    database.write(lambda transaction: transaction.execute("ALTER TABLE face_set RENAME TO elsewhere"))

    assert face_set.count() == 3
    assert names.all() == [("default", 2), ("staff", 1)]

    database.write(lambda transaction: transaction.execute("ALTER TABLE elsewhere RENAME TO face_set"))


class TestMigration:
    @pytest.fixture
    def before(self, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Database:
        """A database from before faces were counted, with five faces in one set and two in another."""
        database = connect(database_url)
        with monkeypatch.context() as patch:
            patch.setattr(schema, "MIGRATIONS", MIGRATIONS[:COUNTED])
            migrate(database)
        insert = "INSERT INTO face_set (face_token, face_name, folded_name, crop, created_at, set_id) "
        rows = [(new_token(), fold("Ada"), 1 if n < 5 else 2) for n in range(7)]
        database.write(lambda t: t.execute_many(f"{insert} VALUES (?, 'Ada', ?, 'c.jpg', 0, ?)", rows))
        database.write(lambda t: t.execute("INSERT INTO face_set_name (name) VALUES ('staff')"))
        monkeypatch.setattr(schema, "ROWS_PER_COPY", 3)
        return database

    @pytest.mark.parametrize("done", range(len(MIGRATIONS[COUNTED]) + 1))
    def test_existing_faces_are_counted_wherever_the_migration_stopped(
        self, before: Database, done: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(schema, "MIGRATIONS", (*MIGRATIONS[:COUNTED], (*MIGRATIONS[COUNTED][:done], "THIS FAILS")))
            with pytest.raises(ServiceError):
                migrate(before)

        assert migrate(before) == len(MIGRATIONS)

        assert_counts_are_right(before)
        assert FaceSetNames(before).all() == [("default", 5), ("staff", 2)]

    @pytest.mark.parametrize("database_url", ["mysql"], indirect=True)
    def test_code_of_the_previous_version_cannot_change_counted_faces(self, before: Database) -> None:
        migrate(before)

        with pytest.raises(ServiceError) as raised:
            before.write(lambda t: t.execute("INSERT INTO face_set_change (version, op, face_id) VALUES (1, 2, 1)"))

        assert raised.value.status == 500

    def test_a_set_without_a_count_gets_one_with_the_next_change(self, before: Database) -> None:
        """Code of the previous version may create a set at the last moment."""
        migrate(before)
        before.write(lambda t: t.execute("DELETE FROM face_set_count"))
        [face] = [known_face()._replace(set_id=2)]

        FaceSet(before).add(face)

        assert FaceSetNames(before).all() == [("default", 0), ("staff", 3)]
