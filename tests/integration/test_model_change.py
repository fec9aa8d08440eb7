"""The face set changes from one model to another in one step, and no face is lost."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from chalicelib.faces import KnownFace, Terms
from chalicelib.gallery import snapshot
from chalicelib.gallery.memory_gallery import MemoryGallery
from chalicelib.stores.database.base import Database
from chalicelib.stores.face_set.active_model import ModelChangedError
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.stores.face_set.model_change import ModelChange
from chalicelib.stores.face_set.segments import SegmentStore
from tests.embeddings import known_faces, unit_vectors
from tests.oracle import brute_force

OLD, NEW = "old-128-0123456789ab", "new-64-ba9876543210"
DIMENSIONS = {OLD: 128, NEW: 64}
ALL_IDS = (0, 2**62)


class Faces:
    """A face set under OLD. A face's vector under another model is derived from its id."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.face_set = FaceSet(database)
        self.change = ModelChange(database)
        self.segments = SegmentStore(database)

    def gallery(self, embedding_id: str) -> MemoryGallery:
        return MemoryGallery(self.face_set, self.segments, embedding_id, DIMENSIONS[embedding_id])

    def add(self, count: int, *, seed: int = 0, model: str = OLD) -> list[KnownFace]:
        faces = known_faces(unit_vectors(count, dimension=DIMENSIONS[model], seed=seed), model=model)
        self.face_set.add_many(faces)
        return faces

    def stage(self, embedding_id: str = NEW) -> int:
        """Give every face that lacks a vector under a model one."""
        lacking = [face.id for face in self.change.lacking(embedding_id, *ALL_IDS)]
        dimension = DIMENSIONS[embedding_id]
        added = 0
        for start in range(0, len(lacking), 64):
            ids = lacking[start : start + 64]
            added += self.change.add_embeddings(embedding_id, {i: vector(i, dimension) for i in ids})
        return added

    def switch(self, embedding_id: str = NEW) -> bool:
        seen = self.face_set.state()
        self.stage(embedding_id)
        return self.change.switch(embedding_id, seen)

    def vector_count(self, embedding_id: str) -> int:
        return sum(row.embedding_id == embedding_id for row in self.face_set.vectors(*ALL_IDS))

    def expect_exact(self, embedding_id: str) -> None:
        """A new gallery and one that only follows the log must find the same faces as brute force."""
        for probe in (vector(1, DIMENSIONS[embedding_id]), unit_vectors(1, dimension=DIMENSIONS[embedding_id])[0]):
            expected = brute_force(self.face_set, embedding_id, probe, 1.35, 1000)
            assert self.gallery(embedding_id).search(probe, Terms(1.35, 1000)) == expected
        assert len(expected.matches) > 0


def vector(face_id: int, dimension: int) -> NDArray[np.float32]:
    return np.asarray(unit_vectors(1, dimension=dimension, seed=face_id)[0])


@pytest.fixture
def faces(database: Database) -> Faces:
    return Faces(database)


def one_face(model: str, seed: int = 7) -> KnownFace:
    return known_faces(unit_vectors(1, dimension=DIMENSIONS[model], seed=seed), model=model)[0]


class TestTheActiveModel:
    def test_the_first_addition_sets_the_model(self, faces: Faces) -> None:
        faces.face_set.add(one_face(NEW))

        assert faces.face_set.state().embedding_id == NEW

    @pytest.mark.parametrize("many", [False, True])
    def test_an_addition_under_another_model_is_refused_and_changes_nothing(self, faces: Faces, many: bool) -> None:
        faces.add(3)
        stale = one_face(NEW)

        with pytest.raises(ModelChangedError) as raised:
            faces.face_set.add_many([stale]) if many else faces.face_set.add(stale)

        assert raised.value.embedding_id == OLD
        assert (faces.face_set.count(), faces.face_set.version(), faces.vector_count(NEW)) == (3, 3, 0)

    def test_a_search_under_another_model_raises_an_error(self, faces: Faces) -> None:
        [known] = faces.add(1)

        for token in (known.token, one_face(OLD).token):
            with pytest.raises(ModelChangedError):
                faces.face_set.get(token, NEW)
        with pytest.raises(ModelChangedError):
            faces.gallery(NEW).search(vector(1, 64), Terms(1.0, 10))

    def test_only_an_empty_face_set_is_adopted(self, faces: Faces) -> None:
        assert faces.change.adopt(OLD) == OLD
        assert faces.change.adopt(NEW) == NEW
        [known] = faces.add(1, model=NEW)
        assert faces.change.adopt(OLD) == NEW

        faces.face_set.remove(known.token)

        assert faces.change.adopt(OLD) == OLD
        faces.add(1)

    def test_a_search_finds_the_first_face_added_after_an_empty_search(self, faces: Faces) -> None:
        gallery = faces.gallery(OLD)
        face = one_face(OLD)
        assert gallery.search(face.embedding, Terms(1.0, 10)).matches == []

        faces.face_set.add(face)

        assert [match.token for match in gallery.search(face.embedding, Terms(1.0, 10)).matches] == [face.token]


class TestVectorsBesideTheOldOnes:
    def test_the_old_model_continues_unchanged(self, faces: Faces) -> None:
        known = faces.add(200)
        gallery = faces.gallery(OLD)
        before = gallery.search(known[0].embedding, Terms(1.4, 100))

        assert faces.stage() == 200

        assert gallery.search(known[0].embedding, Terms(1.4, 100)) == before
        assert len(gallery) == 200
        faces.expect_exact(OLD)

    @pytest.mark.parametrize("compacted", ["before", "after", "never"])
    def test_the_new_model_finds_all_through_segments_and_log(self, faces: Faces, compacted: str) -> None:
        faces.add(300)
        if compacted == "before":
            snapshot.compact(faces.face_set, faces.segments)
        assert faces.switch()
        if compacted == "after":
            snapshot.compact(faces.face_set, faces.segments)

        faces.expect_exact(NEW)

    def test_a_removed_face_leaves_no_vector_and_no_code_of_any_model(self, faces: Faces) -> None:
        known = faces.add(20)
        faces.stage()
        snapshot.compact(faces.face_set, faces.segments)

        for face in known[:5]:
            faces.face_set.remove(face.token)
        snapshot.compact(faces.face_set, faces.segments)

        assert (faces.vector_count(OLD), faces.vector_count(NEW)) == (15, 15)
        assert faces.database.read("SELECT COUNT(*) FROM face_set_embedding") == [(30,)]
        for embedding_id in DIMENSIONS:
            segments = list(faces.segments.read(embedding_id))
            assert sum(len(segment.ids) // 8 for segment in segments) == 15

    def test_a_face_removed_meanwhile_gets_no_vector(self, faces: Faces) -> None:
        known = faces.add(3)
        ids = [face.id for face in faces.change.lacking(NEW, *ALL_IDS)]
        faces.face_set.remove(known[1].token)

        assert faces.change.add_embeddings(NEW, {i: vector(i, 64) for i in ids}) == 2

        assert faces.vector_count(NEW) == faces.face_set.count() == 2

    def test_two_concurrent_runs_give_each_face_one_vector(self, faces: Faces) -> None:
        faces.add(300)

        with ThreadPoolExecutor(4) as pool:
            staged = list(pool.map(lambda _: faces.stage(), range(4)))

        assert sum(staged) == faces.vector_count(NEW) == 300
        assert faces.face_set.version() == 600

    @pytest.mark.usefixtures("patient")
    def test_removals_meanwhile_leave_no_orphan(self, faces: Faces) -> None:
        known = faces.add(400)

        with ThreadPoolExecutor(4) as pool:
            staging = [pool.submit(faces.stage) for _ in range(2)]
            assert all(pool.map(lambda face: faces.face_set.remove(face.token), known[:200]))
            for task in staging:
                task.result()
        faces.stage()

        assert (faces.vector_count(OLD), faces.vector_count(NEW), faces.face_set.count()) == (200, 200, 200)


class TestTheSwitch:
    def test_a_face_without_a_vector_prevents_the_switch(self, faces: Faces) -> None:
        faces.add(10)
        seen = faces.face_set.state()
        faces.stage()
        faces.add(1, seed=3)

        assert faces.change.switch(NEW, seen) is False
        assert faces.face_set.state().embedding_id == OLD

        lacking = faces.change.lacking_since(NEW, seen)
        assert lacking is not None
        assert faces.change.switch(NEW, seen, [face.id for face in lacking]) is True

    @pytest.mark.parametrize("why", ["pruned", "discarded"])
    def test_lost_history_prevents_the_switch(self, faces: Faces, why: str) -> None:
        faces.add(10)
        seen = faces.face_set.state()
        faces.stage()
        if why == "pruned":
            faces.face_set.prune(15)
        else:
            assert sum(faces.change.discard(*ids) for ids in faces.change.ranges()) == 10

        assert faces.change.switch(NEW, seen) is False
        assert faces.change.lacking_since(NEW, seen) is None

        assert faces.switch()

    def test_vectors_discarded_after_staging_prevent_the_switch(self, faces: Faces) -> None:
        """The log does not mention these vectors' faces."""
        faces.add(10)
        faces.stage()
        seen = faces.face_set.state()
        for ids in faces.change.ranges():
            faces.change.discard(*ids)

        assert faces.change.switch(NEW, seen) is False

    def test_switching_to_the_active_model_changes_nothing(self, faces: Faces) -> None:
        known = faces.add(10)
        gallery = faces.gallery(OLD)
        gallery.apply()

        assert faces.change.switch(OLD, faces.face_set.state()) is True

        assert gallery.search(known[0].embedding, Terms(0.0, 10)).matches

    def test_a_gallery_of_the_old_model_raises_even_after_switching_back(self, faces: Faces) -> None:
        faces.add(50)
        gallery = faces.gallery(OLD)
        gallery.apply()
        assert faces.switch(NEW)
        with pytest.raises(ModelChangedError):
            gallery.apply()

        assert faces.switch(OLD)

        with pytest.raises(ModelChangedError):
            gallery.apply()
        faces.expect_exact(OLD)

    def test_switching_back_includes_faces_added_under_the_new_model(self, faces: Faces) -> None:
        faces.add(20)
        assert faces.switch(NEW)
        faces.add(5, seed=9, model=NEW)

        assert faces.switch(OLD)

        assert faces.vector_count(OLD) == faces.face_set.count() == 25
        faces.expect_exact(OLD)

    @pytest.mark.usefixtures("patient")
    def test_writers_of_the_old_model_lose_no_face_at_the_switch(self, faces: Faces) -> None:
        """Every addition is either refused, or answered before the switch and has a vector under the new model."""
        faces.add(50)
        answered: list[str] = []
        begun, tries = threading.Event(), 1

        def add_until_refused(writer: int) -> None:
            for n in range(10_000):
                face = one_face(OLD, seed=1000 * writer + n)
                try:
                    faces.face_set.add(face)
                except ModelChangedError:
                    return
                answered.append(face.token)
                begun.set()
                # Pause longer and longer, because constant writing by all writers would always delay the switch.
                time.sleep(0.01 * tries)

        with ThreadPoolExecutor(4) as pool:
            writers = [pool.submit(add_until_refused, writer) for writer in range(4)]
            assert begun.wait(60)
            seen = faces.face_set.state()
            faces.stage()
            while not faces.change.switch(NEW, seen):
                later = faces.face_set.state()
                faces.stage()
                seen, tries = later, tries + 1
            for writer in writers:
                writer.result(timeout=60)

        assert len(answered) > 0
        assert faces.change.lacking(NEW, *ALL_IDS) == []
        assert all(faces.face_set.get(token, NEW) is not None for token in answered)
        assert faces.face_set.count() == 50 + len(answered)


class TestDiscarding:
    def test_discarding_erases_the_vectors_and_codes_of_all_other_models(self, faces: Faces) -> None:
        faces.add(100)
        assert faces.switch(NEW)
        snapshot.compact(faces.face_set, faces.segments)
        gallery = faces.gallery(NEW)
        gallery.apply()

        erased = sum(faces.change.discard(*ids) for ids in faces.change.ranges())
        snapshot.compact(faces.face_set, faces.segments)

        assert erased == 100
        assert faces.database.read("SELECT DISTINCT embedding_id FROM face_set_embedding") == [(NEW,)]
        assert faces.database.read("SELECT DISTINCT embedding_id FROM face_set_segment") == [(NEW,)]
        faces.expect_exact(NEW)
        gallery.apply()
        assert len(gallery) == 100

    def test_discarding_without_old_vectors_does_nothing(self, faces: Faces) -> None:
        faces.add(10)
        before = faces.face_set.state()

        assert [faces.change.discard(*ids) for ids in faces.change.ranges()] == [0]

        assert faces.face_set.state() == before

    def test_a_search_does_not_return_too_few_faces_while_its_vectors_are_erased(
        self, faces: Faces, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Vectors are erased between the scan of the old model's codes and the reading of the rows."""
        known = faces.add(100)
        gallery = faces.gallery(OLD)
        fetch = FaceSet.fetch

        def change_then_fetch(*arguments: object) -> object:
            monkeypatch.setattr(FaceSet, "fetch", fetch)
            assert faces.switch(NEW)
            for ids in faces.change.ranges():
                faces.change.discard(*ids)
            return fetch(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(FaceSet, "fetch", change_then_fetch)

        with pytest.raises(ModelChangedError):
            gallery.search(known[0].embedding, Terms(2.0, 1000))
