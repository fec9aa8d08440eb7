"""People are listed, renamed, merged and removed as whole people, at a cost that their faces do not set."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from chalicelib.errors import ServiceError
from chalicelib.faces import DEFAULT_SET, DEFAULT_SET_ID, KnownFace
from chalicelib.service import cursors, known_people, removal
from chalicelib.service.known_people import KnownPeople
from chalicelib.service.removal import Removal
from chalicelib.stores.aws.crops import CropStore
from chalicelib.stores.aws.tokens import TokenStore
from chalicelib.stores.database.base import Database, Row
from chalicelib.stores.database.connect import connect
from chalicelib.stores.face_set import people as people_module
from chalicelib.stores.face_set import person_rows
from chalicelib.stores.face_set.face_listing import FaceListing
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.stores.face_set.face_set_names import FaceSetNames
from chalicelib.stores.face_set.folded_name import fold
from chalicelib.stores.face_set.people import People
from tests.counts import assert_counts_are_right
from tests.examples import known_face

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

NAMES = ("Ada", "ADA", " ada ", "José", "JOSÉ", "Jose", "Grace", "unknown", "Unknown ", "a%b")


class Faces:
    """A face set, its people, and beside it the names that its faces should have."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = 0
        self.face_set = FaceSet(database, clock=lambda: self.now)
        self.names = FaceSetNames(database)
        self.rows = People(database)
        self.people = KnownPeople(self.rows, FaceListing(database), self.names)
        self.expected: dict[str, str] = {}
        self.spellings: dict[bytes, str] = {}
        self.added_at: dict[str, int] = {}

    def add(self, *names: str) -> list[str]:
        """Add faces in one transaction; return their tokens."""
        self.now += 1
        faces = [known_face(name=name) for name in names]
        self.face_set.add_many(faces)
        for face in faces:
            self.added_at[face.token] = self.now
            self.named(face.token, face.name)
        return [face.token for face in faces]

    def named(self, token: str, name: str) -> None:
        self.expected[token] = name
        self.spellings[fold(name)] = name

    def tokens_of(self, name: str) -> list[str]:
        return [token for token, other in self.expected.items() if fold(other) == fold(name)]

    def rename(self, name: str, new_name: str, *, merge: bool = False) -> tuple[str, int, bool]:
        return self.people.change(DEFAULT_SET, name, new_name, merge=merge, cover=None)

    def pages(self, limit: int, part: str = "") -> Iterator[list[Any]]:
        after: int | None = 0
        while after is not None:
            page = self.people.page(DEFAULT_SET, after, limit, part)
            yield page.people
            [after] = (None,) if page.next_cursor is None else cursors.decode(page.next_cursor) or (None,)

    def faces_by_part(self, part: str, limit: int) -> list[str]:
        """Return the tokens on all pages of a part of a name."""
        found: list[str] = []
        place: tuple[int, ...] = (0, 0)
        while True:
            page = self.people.faces_by_part(DEFAULT_SET, part, (place[0], place[1]), limit)
            assert len(page.faces) <= limit
            found += [face.token for face in page.faces]
            if page.next_cursor is None:
                return found
            place = cursors.decode(page.next_cursor, 2) or (0, 0)

    def check(self) -> None:
        """Compare the people with the faces' names."""
        assert_counts_are_right(self.database)
        listed = [person for page in self.pages(3) for person in page]
        assert [person.id for person in listed] == sorted({person.id for person in listed})
        folded = {fold(name) for name in self.expected.values()} - {b"unknown"}
        assert {fold(person.name) for person in listed} == folded
        for person in listed:
            tokens = self.tokens_of(person.name)
            assert person.name == self.spellings[fold(person.name)]
            assert (person.faces, person.cover) == (len(tokens), tokens[0])
            times = (person.first_added_at, person.last_added_at)
            assert times == (self.added_at[tokens[0]], self.added_at[tokens[-1]])


@pytest.fixture
def faces(database: Database) -> Faces:
    return Faces(database)


def test_people_are_right_after_every_change(faces: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random additions, renamings, merges and removals, in small statements."""
    monkeypatch.setattr(person_rows, "PEOPLE_PER_STATEMENT", 2)
    monkeypatch.setattr(people_module, "FACES_PER_RENAMING", 2)
    random = np.random.default_rng(1)
    for step in range(60):
        name, other = (str(random.choice(NAMES)) for _ in range(2))
        known = [str(token) for token in random.permutation(list(faces.expected))[:3]]
        match step % 4:
            case 0:
                faces.add(*(str(one) for one in random.choice(NAMES, 4)))
            case 1 if known:
                faces.face_set.rename(known[0], name)
                faces.named(known[0], name)
                faces.face_set.add_many([known_face(token, name=other) for token in known[1:]])
                for token in known[1:]:
                    faces.named(token, other)
            case 2 if fold(name) != b"unknown" and (tokens := faces.tokens_of(name)):
                # A new spelling of the same name, another person's name, or a new name.
                renamed = faces.rename(name, other, merge=True)
                assert renamed == (other, len(tokens), True)
                for token in tokens:
                    faces.named(token, other)
            case 3:
                faces.face_set.remove_many(known)
                for token in known:
                    del faces.expected[token]
        faces.check()


def test_a_renamed_person_keeps_their_place_and_a_merged_one_joins_the_other(faces: Faces) -> None:
    faces.add("Ada", "Ada", "Grace", "Hedy")
    before = [person.id for page in faces.pages(10) for person in page]

    faces.rename("Ada", "Augusta")
    faces.rename("Hedy", "GRACE", merge=True)

    [page] = faces.pages(10)
    assert [(person.id, person.name, person.faces) for person in page] == [
        (before[0], "Augusta", 2),
        (before[1], "GRACE", 2),
    ]


def test_another_persons_name_is_refused_unless_merged(faces: Faces) -> None:
    faces.add("Ada", "Grace")

    with pytest.raises(ServiceError, match="merge=true") as refused:
        faces.rename("Ada", "grace ")
    assert (refused.value.code, refused.value.status) == ("1001", 400)
    faces.check()

    assert faces.rename("Ada", "ADA ") == ("ADA ", 1, True)
    with pytest.raises(ServiceError) as unknown:
        faces.rename("Hedy", "Grace")
    assert (unknown.value.code, unknown.value.status) == ("1006", 404)


def test_a_renaming_that_was_interrupted_is_continued_by_the_same_request(
    faces: Faces, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Meanwhile the new name is another person's, but the same renaming needs no merge."""
    monkeypatch.setattr(people_module, "FACES_PER_RENAMING", 2)
    monkeypatch.setattr(known_people, "MAX_SECONDS", -1.0)
    tokens = faces.add(*["Ada"] * 5, "Grace")

    assert faces.rename("Ada", "Augusta") == ("Augusta", 2, False)
    with pytest.raises(ServiceError, match="merge=true"):
        faces.rename("Ada", "Grace")
    assert faces.rename("Ada", "Augusta") == ("Augusta", 2, False)
    assert faces.rename("Ada", "Augusta") == ("Augusta", 1, True)
    with pytest.raises(ServiceError, match="no face"):
        faces.rename("Ada", "Augusta")

    for token in tokens[:5]:
        faces.named(token, "Augusta")
    faces.check()


def test_a_chosen_cover_lapses_with_its_face(faces: Faces) -> None:
    first, second, third = faces.add("Ada", "Ada", "Grace")

    def covers() -> list[str]:
        return [person.cover for page in faces.pages(10) for person in page]

    def choose(name: str, token: str, new_name: str | None = None) -> None:
        faces.people.change(DEFAULT_SET, name, new_name, merge=True, cover=token)

    choose("ada", second)
    assert covers() == [second, third]
    choose("Ada", second, "Augusta")
    assert covers() == [second, third]
    for token in (third, known_face().token):
        with pytest.raises(ServiceError):
            choose("Augusta", token)
    choose("Augusta", second, "Grace")
    assert covers() == [second]
    faces.face_set.rename(second, "Hedy")
    assert covers() == [first, second]
    faces.face_set.remove(first)
    assert covers() == [third, second]


class TestParts:
    """Any part of a name, with few names per statement."""

    @pytest.fixture(autouse=True)
    def small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(people_module, "NAMES_PER_SCAN", 2)
        monkeypatch.setattr(known_people, "MAX_SCANS", 2)

    @pytest.mark.parametrize("part", ["a", "ADA", "é", "E\u0301L", "o", "da l", " ", "%", "x"])
    def test_people_and_their_faces_are_found_by_any_part(self, faces: Faces, part: str) -> None:
        """Case and accents do not matter. Pages of every size give the same."""
        order = ["Ada", "Grace", "Élodie", "Ada Lovelace", "unknown", "100%", "Zoë", "elo", "ada"]
        tokens = {name: faces.add(*[name] * (1 + 3 * (n % 2))) for n, name in enumerate(order)}
        plain = {name: without(name) for name in order if name != "unknown"}
        people = [name for name in plain if without(part) in plain[name] and name != "ada"]
        expected = [token for name in people for token in tokens[name] + tokens["ada"] * (name == "Ada")]

        for limit in (1, 2, 3, 20):
            found = [fold(person.name) for page in faces.pages(limit, part) for person in page]
            assert found == [fold(name) for name in people]
            assert faces.faces_by_part(part, limit) == expected

    def test_a_page_reads_a_limited_number_of_names(self, faces: Faces) -> None:
        faces.add(*(f"person {number}" for number in range(9)), "Ada")

        assert [len(page) for page in faces.pages(10, "ada")] == [0, 0, 1]


def without(text: str) -> str:
    return text.lower().replace("é", "e").replace("e\u0301", "e").replace("ë", "e")


def test_a_page_does_not_read_all_faces_of_a_person(faces: Faces) -> None:
    """Both databases walk the indexes from one end, and stop. The number of rows that MySQL reads shows it."""
    for _ in range(3):
        faces.add(*["Ada"] * 1_000)
    faces.add("Grace")
    [first, *_] = [person for page in faces.pages(10) for person in page]

    for read, rows in (
        (lambda: faces.people.page(DEFAULT_SET, 0, 10), 40),
        (lambda: faces.people.page(DEFAULT_SET, 0, 10, "a"), 60),
        (lambda: faces.people.faces(DEFAULT_SET, "Ada", 500, 10), 60),
        (lambda: faces.people.faces_by_part(DEFAULT_SET, "ad", (first.id, 500), 10), 60),
        (lambda: faces.people.faces_by_part(DEFAULT_SET, "ad", (0, 0), 10), 60),
    ):
        assert rows_read(faces.database, read) <= rows
    assert rows_read(faces.database, lambda: faces.face_set.remove(faces.tokens_of("Ada")[0])) <= 60


def rows_read(database: Database, work: Callable[[], object]) -> int:
    """Return how many rows MySQL read; on SQLite, 1,000 for each plan that sorts or scans a table."""
    if database.dialect == "sqlite":
        costly = [
            one for one in plans(database, work) if (one.startswith("SCAN") and one != "SCAN page") or "B-TREE" in one
        ]
        return 1_000 * len(costly)

    def handled() -> int:
        return sum(int(value) for _, value in database.read("SHOW SESSION STATUS LIKE 'Handler_read%'"))

    before = handled()
    work()
    return handled() - before


def plans(database: Database, work: Callable[[], object]) -> list[str]:
    """Return the steps of SQLite's plans of all queries."""
    queries: list[tuple[str, Any]] = []
    query = database.query

    def recorded(connection: Any, sql: str, parameters: Any) -> list[Row]:
        queries.append((sql, parameters))
        return query(connection, sql, parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "query", recorded)
        work()
    assert queries
    return [
        str(step[3])
        for sql, parameters in queries
        for step in database.read(f"EXPLAIN QUERY PLAN {sql.removesuffix(' FOR UPDATE')}", parameters)
    ]


@pytest.mark.usefixtures("patient")
def test_people_are_right_after_concurrent_changes(faces: Faces, database_url: str) -> None:
    """Clients add, rename, merge and remove faces of the same few people. Every face is someone's in the end."""

    def change(seed: int) -> None:
        own = Faces(connect(database_url))
        random = np.random.default_rng(seed)
        for _ in range(15):
            name, other = (str(random.choice(NAMES)) for _ in range(2))
            try:
                tokens = own.add(*(str(one) for one in random.choice(NAMES, 3)))
                own.face_set.rename(tokens[0], other)
                own.face_set.remove(tokens[1])
                own.rename(name, other, merge=True)
            except ServiceError as error:
                if error.code == "1006" or error.status == 503:  # renamed by another, or SQLite was busy
                    continue
                raise
        own.database.close()

    with ThreadPoolExecutor(4) as executor:
        list(executor.map(change, range(4)))

    assert_counts_are_right(faces.database)
    assert faces.face_set.count() > 0


class TestRemoval:
    @pytest.fixture
    def crops(self, s3: S3Client, crops_bucket: str) -> CropStore:
        return CropStore(s3, crops_bucket)

    @pytest.fixture
    def tokens(self, dynamodb: DynamoDBClient, tokens_table: str) -> TokenStore:
        return TokenStore(dynamodb, tokens_table, 60)

    @staticmethod
    def removal(faces: Faces, crops: CropStore, tokens: TokenStore, clock: Callable[[], float]) -> Removal:
        return Removal(FaceListing(faces.database), faces.names, faces.face_set, tokens, crops, faces.rows, clock)

    def test_a_persons_faces_go_in_parts_and_others_stay(
        self, faces: Faces, crops: CropStore, tokens: TokenStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(removal, "FACES_PER_BATCH", 2)
        faces.add("Ada", "ada ", "ADA", "Grace", "Ada")
        slow = itertools.count(step=removal.MAX_SECONDS + 1)
        remove = self.removal(faces, crops, tokens, lambda: next(slow)).remove_person

        assert remove(DEFAULT_SET, "aDA") == ("Ada", (2, False))
        assert remove(DEFAULT_SET, "aDA") == ("Ada", (2, True))

        assert [person.name for page in faces.pages(10) for person in page] == ["Grace"]
        assert faces.face_set.version() == 9
        with pytest.raises(ServiceError) as unknown:
            remove(DEFAULT_SET, "Ada")
        assert (unknown.value.code, unknown.value.status) == ("1006", 404)

    def test_a_face_that_was_renamed_a_moment_before_stays(
        self, faces: Faces, crops: CropStore, tokens: TokenStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = faces.add("Ada", "Ada")
        remove_many = faces.face_set.remove_many

        def renamed_meanwhile(found: list[str], folded: bytes | None) -> list[str]:
            faces.face_set.rename(second, "Grace")
            return remove_many(found, folded)

        monkeypatch.setattr(faces.face_set, "remove_many", renamed_meanwhile)
        removed = self.removal(faces, crops, tokens, lambda: 0.0).remove_person(DEFAULT_SET, "Ada")

        assert removed == ("Ada", (1, True))
        assert (faces.face_set.set_of(first), faces.face_set.set_of(second)) == (None, DEFAULT_SET_ID)


def test_each_face_set_has_its_own_people(faces: Faces) -> None:
    faces.names.create("staff")
    staff = faces.names.id_of("staff")
    faces.face_set.add_many([face("Ada", staff), face("Ada", DEFAULT_SET_ID), face("Grace", staff)])

    faces.people.change("staff", "Ada", "Augusta", merge=False, cover=None)

    assert [person.name for person in faces.people.page("staff", 0, 10).people] == ["Augusta", "Grace"]
    assert [person.name for person in faces.people.page(DEFAULT_SET, 0, 10).people] == ["Ada"]


def face(name: str, set_id: int) -> KnownFace:
    return known_face(name=name)._replace(set_id=set_id)
