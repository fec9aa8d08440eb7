"""The gallery over a real face set equals brute force over the rows at once, whatever happens to its copy."""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from chalicelib.faces import DEFAULT_SET_ID, KnownFace, SearchResult, Terms
from chalicelib.gallery import snapshot
from chalicelib.gallery.code_bounds import Candidates
from chalicelib.stores.database.base import Database, Parameters, Row, Transaction
from chalicelib.stores.face_set import face_set as face_set_module
from chalicelib.stores.face_set.face_set import FaceRow, FaceSet
from chalicelib.stores.face_set.model_change import ModelChange
from tests.embeddings import MODEL, known_faces, unit_vectors
from tests.integration.gallery_faces import Faces, clustered
from tests.oracle import brute_force


@pytest.fixture
def faces(database: Database) -> Faces:
    return Faces(database)


def test_an_empty_face_set_has_no_matches(faces: Faces) -> None:
    [probe] = known_faces(unit_vectors(1))

    assert faces.expect(probe, 100.0) == SearchResult([], truncated=False)


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.65, 0.9, 2.5, 1e300])
@pytest.mark.parametrize("limit", [1, 7, 10_000])
def test_results_equal_brute_force_over_the_rows(faces: Faces, threshold: float, limit: int) -> None:
    known = faces.add(clustered(600))

    for probe in known[:5]:
        faces.expect(probe, threshold, limit)


def test_a_face_exactly_at_the_threshold_is_a_match(faces: Faces) -> None:
    known = faces.add(clustered(300))
    distances = [match.distance for match in faces.expect(known[0], 2.0).matches]

    for i in (0, 7, 100):
        assert len(faces.expect(known[0], distances[i]).matches) == i + 1
        assert len(faces.expect(known[0], float(np.nextafter(distances[i], 0))).matches) == i


def test_duplicates_are_returned_in_the_order_of_addition(faces: Faces) -> None:
    twins = known_faces(np.repeat(unit_vectors(1), 700, axis=0))
    for twin in twins[:3]:
        faces.face_set.add(twin)
    faces.add(twins[3:])

    found = faces.expect(known_faces(unit_vectors(1))[0], 0.0, limit=600)

    assert [match.token for match in found.matches] == [twin.token for twin in twins[:600]]
    assert found.truncated


@pytest.mark.parametrize(("limit", "truncated"), [(298, True), (299, False), (300, False)])
def test_the_result_says_whether_there_are_more_matches(faces: Faces, limit: int, truncated: bool) -> None:
    known = faces.add(clustered(300))

    assert faces.expect(known[0], 100.0, limit).truncated is truncated


def test_the_next_search_sees_every_change(faces: Faces) -> None:
    for face in clustered(30):
        faces.face_set.add(face)
        assert faces.gallery.search(face.embedding, Terms(0.0, 10)).matches[0].token == face.token
        faces.face_set.rename(face.token, "renamed")
        assert faces.gallery.search(face.embedding, Terms(0.0, 10)).matches[0].name == "renamed"
        faces.face_set.remove(face.token)
        assert faces.gallery.search(face.embedding, Terms(0.0, 10)).matches == []
        faces.face_set.add(face)


def test_faces_of_different_models_are_never_compared(faces: Faces) -> None:
    vectors = unit_vectors(3)
    faces.add(known_faces(vectors))
    ids = [row.id for row in faces.face_set.vectors(0, 2**62)]
    ModelChange(faces.face_set._database).add_embeddings(
        "another-128-ba9876543210", dict(zip(ids, -vectors, strict=True))
    )
    faces.compact()

    assert len(faces.expect(known_faces(vectors)[0], 100.0).matches) == 3


class TestCurrency:
    def test_a_gallery_behind_the_pruned_mark_reloads(self, faces: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
        known = faces.add(clustered(100))
        faces.expect(known[0], 1.0)
        for face in faces.add(clustered(50, seed=3))[:20]:
            faces.face_set.remove(face.token)
        monkeypatch.setattr(snapshot, "CHANGES_KEPT", 0)
        faces.compact()

        faces.expect(known[0], 1.0)

    def test_more_changes_than_one_poll_returns_are_applied(
        self, faces: Faces, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for module in (face_set_module, __import__("chalicelib.gallery.memory_gallery", fromlist=["x"])):
            monkeypatch.setattr(module, "MAX_CHANGES_PER_POLL", 10)
        monkeypatch.setattr(FaceSet.changes_since, "__defaults__", (10,))
        known = faces.add(clustered(95))

        faces.expect(known[0], 1.0)

    @pytest.mark.usefixtures("patient")
    def test_concurrent_searches_in_one_process(self, faces: Faces) -> None:
        """Eight threads, each checking that it reads its own writes while the others change the set."""
        faces.add(clustered(1_000))

        def visit(thread: int) -> int:
            for face in known_faces(unit_vectors(12, seed=100 + thread) * np.float32(3)):
                faces.face_set.add(face)
                assert [m.token for m in faces.gallery.search(face.embedding, Terms(0.0, 10)).matches] == [face.token]
                faces.face_set.remove(face.token)
                assert faces.gallery.search(face.embedding, Terms(0.0, 10)).matches == []
            return 12

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(visit, range(8))) == 96
        assert len(faces.gallery) == 1_000

    def test_a_search_waits_while_changes_are_applied(self, faces: Faces) -> None:
        [face] = faces.add(clustered(1))
        faces.expect(face, 1.0)

        with ThreadPoolExecutor(1) as pool:
            with faces.gallery._lock.exclusive():
                search = pool.submit(faces.gallery.search, face.embedding, Terms(0.0, 10))
                with pytest.raises(TimeoutError):
                    search.result(0.3)
            assert [match.token for match in search.result(10).matches] == [face.token]

    def test_faces_removed_after_the_scan_make_room_for_others(
        self, faces: Faces, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        known = faces.add(clustered(300))
        probe = known[0]
        order = brute_force(faces.face_set, MODEL, probe.embedding, 10.0, 300, probe.token).matches
        fetch = faces.face_set.fetch

        def remove_then_fetch(ids: Sequence[int], embedding_id: str) -> list[FaceRow]:
            monkeypatch.setattr(faces.face_set, "fetch", fetch)
            for match in order[:4]:
                faces.face_set.remove(match.token)
            return fetch(ids, embedding_id)

        monkeypatch.setattr(faces.face_set, "fetch", remove_then_fetch)

        found = faces.gallery.search(probe.embedding, Terms(10.0, 5, without=probe.token))

        assert [m.token for m in found.matches] == [m.token for m in order[4:9]]


class TestAddingMany:
    def test_versions_have_no_gaps_and_follow_the_order_of_the_ids(self, faces: Faces) -> None:
        faces.add(clustered(40))
        faces.face_set.add(clustered(1, seed=9)[0])

        changes = faces.face_set.changes_since(0, MODEL)

        assert changes is not None
        assert [change.version for change in changes] == list(range(1, 42))
        assert [change.face_id for change in changes] == sorted(change.face_id for change in changes)

    def test_existing_faces_are_renamed(self, faces: Faces) -> None:
        known = faces.add(clustered(10))
        again = [KnownFace(f.token, "again", f.embedding, f.embedding_id, f.crop) for f in known[:4]]

        assert faces.face_set.add_many(again + clustered(3, seed=4)) == 3

        assert faces.face_set.count() == 13
        assert faces.face_set.version() == 13
        face = faces.face_set.get(known[0].token, MODEL)
        assert face is not None
        assert face.name == "again"

    def test_adding_no_faces_does_nothing(self, faces: Faces) -> None:
        assert faces.face_set.add_many([]) == 0

    def test_concurrent_additions_lose_nothing(self, faces: Faces) -> None:
        with ThreadPoolExecutor(4) as pool:
            added = list(pool.map(lambda seed: faces.face_set.add_many(clustered(100, seed=seed)), range(8)))

        assert sum(added) == 800
        changes = faces.face_set.changes_since(0, MODEL)
        assert changes is not None
        assert len({change.face_id for change in changes}) == 800

    def test_a_token_added_meanwhile_is_renamed(self, faces: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
        """Another client adds the token between the check whether it exists and the insertion."""
        known = clustered(5)
        query = Transaction.query

        def query_then_lose_the_race(transaction: Transaction, sql: str, parameters: Parameters = ()) -> list[Row]:
            rows = query(transaction, sql, parameters)
            monkeypatch.setattr(Transaction, "query", query)
            transaction.insert(face_set_module._INSERT, (known[2].token, "", b"", "", 0, 1))
            return rows

        monkeypatch.setattr(Transaction, "query", query_then_lose_the_race)

        assert faces.face_set.add_many(known) == 5


@pytest.mark.parametrize("limit", [1, 499, 500, 501, 1_200])
def test_limits_around_the_ends_of_portions(faces: Faces, limit: int) -> None:
    """Codes cannot distinguish near-duplicates, so every portion of rows is read."""
    known = near_duplicates(1_200)
    add_all(faces, known)

    assert faces.expect(known[0], 0.65, limit).truncated is (limit < 1_199)


def test_the_cost_of_near_duplicates_grows_linearly(faces: Faces) -> None:
    """Counts function calls, which must grow no faster than the number of rows."""
    add_all(faces, near_duplicates(12_000))
    [probe] = near_duplicates(1)

    def calls(faces_in_set: int) -> int:
        profile = cProfile.Profile()
        [candidates] = faces.gallery.propose(probe.embedding[None].astype(np.float64), 0.65, 2, DEFAULT_SET_ID)
        cut = Candidates(candidates.ids[:faces_in_set], candidates.at_least[:faces_in_set], candidates.reach)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(faces.gallery, "propose", lambda *_: [cut])
            profile.runcall(faces.gallery.search, probe.embedding, Terms(0.65, 1))
        return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]

    assert calls(12_000) < 4.5 * calls(3_000)


def add_all(faces: Faces, known: list[KnownFace]) -> None:
    for start in range(0, len(known), face_set_module.MAX_FACES_PER_ADDITION):
        faces.add(known[start : start + face_set_module.MAX_FACES_PER_ADDITION])


def near_duplicates(count: int) -> list[KnownFace]:
    """Return `count` faces of one person, a millionth apart."""
    noise = np.random.default_rng(7).normal(0, 1e-6, (count, 128))
    return known_faces((unit_vectors(1) + noise).astype(np.float32))
