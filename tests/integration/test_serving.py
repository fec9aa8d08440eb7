"""Each request is answered entirely under the face set's model, whichever pack the process started with."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

import app
from chalicelib.api.arguments import Arguments
from chalicelib.errors import ServiceError, StoreUnavailableError
from chalicelib.faces import KnownFace, SearchResult, Terms
from chalicelib.maintenance import operations
from chalicelib.service import token_embeddings
from chalicelib.service.face_service import FaceService
from chalicelib.stores.aws.crops import Crop, CropStore
from chalicelib.stores.face_set import faces_by_token
from chalicelib.stores.face_set.active_model import ModelChangedError
from chalicelib.stores.face_set.face_set import FaceSet
from tests import pictures
from tests.integration.two_packs import RAW, UNIT, Place, Process, build_packs, tokens
from tests.oracle import brute_force

PICTURE = pictures.jpeg(pictures.scaled(pictures.astronaut(), 200, 200))


@pytest.fixture
def place(tmp_path: Path, database: object, database_url: str, tokens_table: str, crops_bucket: str) -> Place:
    return Place(build_packs(tmp_path / "packs"), database_url, tokens_table, crops_bucket)


def expect_exact(process: Process, found: SearchResult, token: str) -> None:
    known = process.parts.face_set.get(token, process.active)
    assert known is not None
    assert found == brute_force(process.parts.face_set, process.active, known.embedding, 100.0, 10_000, token)


class TestWhichPack:
    def test_the_face_sets_pack_is_served_even_if_model_dir_names_another(
        self, place: Place, caplog: pytest.LogCaptureFixture
    ) -> None:
        faces = place.process(RAW).add(range(3))

        process = place.process(UNIT)
        found = process.search(faces[0].token)

        assert set(tokens(found)) == set(tokens(faces[1:]))
        assert process.served == RAW
        [record] = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert "is served by the pack dlib, not by MODEL_DIR's (unit-128-" in record.getMessage()

    def test_info_describes_the_pack_that_is_served(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        place.process(RAW).add(range(1))
        process = place.process(UNIT)
        monkeypatch.setattr(app, "wiring", lambda: process.parts)

        described = app.info(Arguments({}))

        assert described["model"]["name"] == RAW

    def test_an_empty_face_set_adopts_the_pack_of_the_next_process(self, place: Place) -> None:
        process = place.process(RAW)
        [face] = process.add(range(1))
        process.search(face.token)
        process.remove(face.token)

        other = place.process(UNIT)
        other.add_token(other.detect(PICTURE))

        assert other.active == other.embedding_id(UNIT)
        process.add_token(process.detect(PICTURE))
        assert process.served == UNIT
        assert process.parts.face_set.count() == 2

    def test_a_face_set_with_a_missing_pack_is_never_silently_empty(
        self, place: Place, caplog: pytest.LogCaptureFixture
    ) -> None:
        [face] = place.process(RAW).add(range(1))
        shutil.rmtree(place.packs / RAW)
        process = place.process(UNIT)
        token = process.detect(PICTURE)

        for request in (
            lambda: process.search(token),
            lambda: process.search(face.token),
            lambda: process.add_token(token),
            lambda: process.parts.active_pack.answer(lambda service: service.count()),
            lambda: process.parts.active_pack.answer(lambda service: service.search_picture(PICTURE, Terms(1.0, 1))),
        ):
            caplog.clear()
            with pytest.raises(ServiceError) as raised:
                request()
            assert raised.value.status == 503
            [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
            assert f"the face set is under the model {face.embedding_id}, and no pack beside" in record.getMessage()

        # Requests that need no model still work, such as removing a face.
        process.remove(face.token)
        assert process.parts.face_set.count() == 0
        process.add_token(token)
        assert process.active == process.embedding_id(UNIT)

    def test_a_damaged_pack_beside_it_is_skipped(self, place: Place) -> None:
        faces = place.process(UNIT).add(range(2))
        damaged = place.packs / "a-damaged-one"
        damaged.mkdir()
        (damaged / "card.toml").write_text("no card")

        assert tokens(place.process(RAW).search(faces[0].token)) == [faces[1].token]


class TestARunningProcess:
    def test_a_process_follows_the_switch_within_the_request_that_notices_it(self, place: Place) -> None:
        process = place.process()
        faces = process.add(range(4))
        before = process.search(faces[0].token)

        place.process().re_embed(UNIT)
        after = process.search(faces[0].token)

        assert process.served == UNIT
        expect_exact(process, after, faces[0].token)
        assert set(tokens(before)) == set(tokens(after))
        assert [m.distance for m in before.matches] != [m.distance for m in after.matches]

    def test_a_grouping_follows_the_switch(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        """The model is switched after the first of two statements has read faces under the model of before."""
        monkeypatch.setattr(faces_by_token, "MAX_TOKENS_PER_STATEMENT", 2)
        process = place.process()
        faces = tokens(process.add(range(4)))
        read = process.parts.database.read
        statements: list[str] = []

        def switching(sql: str, parameters: Any = ()) -> Any:
            if sql.count("?") == 2 and "face_token IN" in sql:
                statements.append(sql)
                if len(statements) == 2:
                    place.process().re_embed(UNIT)
            return read(sql, parameters)

        monkeypatch.setattr(process.parts.database, "read", switching)
        found = process.group(faces)

        assert process.served == UNIT
        assert len(statements) == 4
        assert found == place.process(UNIT).group(faces)

    def test_a_process_follows_the_switch_back_after_its_link_changed(self, place: Place) -> None:
        """MODEL_DIR is a link, as on a laptop, and points elsewhere until the switch back is done."""
        link = place.packs / "current"
        link.symlink_to(RAW)
        process = place.process("current")
        faces = process.add(range(2))
        process.search(faces[0].token)
        place.process().re_embed(UNIT)
        link.unlink()
        process.search(faces[0].token)

        place.process().re_embed(RAW)

        expect_exact(process, process.search(faces[0].token), faces[0].token)
        assert process.served == RAW

    def test_an_addition_right_after_the_switch_is_under_the_new_model(self, place: Place) -> None:
        process = place.process()
        faces = process.add(range(3))
        process.search(faces[0].token)
        late = process.detect(PICTURE)

        place.process().re_embed(UNIT)
        process.add_token(late)

        known = process.parts.face_set.get(late, process.embedding_id(UNIT))
        assert known is not None
        assert np.linalg.norm(known.embedding) == pytest.approx(1.6)
        found = process.search(faces[0].token)
        assert late in tokens(found)
        expect_exact(process, found, faces[0].token)

    def test_an_addition_interrupted_by_the_switch_leaves_no_second_crop(
        self, place: Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The switch happens between copying the crop and inserting the row."""
        process, operator = place.process(), place.process()
        token = process.detect(PICTURE)
        process.add(range(2))
        add = FaceSet.add

        def switch_then_add(*arguments: Any) -> bool:
            monkeypatch.setattr(FaceSet, "add", add)
            assert operator.re_embed(UNIT).switched
            return add(*arguments)

        monkeypatch.setattr(FaceSet, "add", switch_then_add)

        process.add_token(token)

        known = process.parts.face_set.get(token, process.embedding_id(UNIT))
        assert known is not None
        client: Any = process.parts.crops._client
        keys = [item["Key"] for item in client.list_objects_v2(Bucket=place.crops_bucket, Prefix="faces/")["Contents"]]
        assert len(keys) == 3
        assert f"faces/{known.crop}" in keys

    def test_a_face_in_one_set_is_not_renamed_by_an_addition_to_another(self, place: Place) -> None:
        process = place.process()
        token = process.detect(PICTURE)
        process.add_token(token, "Ada")
        process.parts.face_set_names.create("staff")

        with pytest.raises(ServiceError, match="another face set"):
            process.parts.active_pack.answer(lambda service: service.add(token, "Eve", face_set="staff"))

        assert process.parts.known_faces.get(token).name == "Ada"

    def test_an_addition_that_was_committed_although_it_failed_keeps_its_crop(
        self, place: Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        process = place.process()
        token = process.detect(PICTURE)
        add = process.parts.face_set.add

        def lose_the_answer(face: KnownFace) -> NoReturn:
            add(face)
            raise StoreUnavailableError

        monkeypatch.setattr(process.parts.face_set, "add", lose_the_answer)
        with pytest.raises(StoreUnavailableError):
            process.add_token(token)

        face = process.parts.known_faces.get(token)
        assert process.parts.crops.read(face.crop) is not None

    def test_a_token_search_is_answered_entirely_under_one_model(
        self, place: Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The switch happens between reading the token's face and the search."""
        process, operator = place.process(), place.process()
        faces = process.add(range(3))
        get = FaceSet.get

        def get_then_switch(*arguments: Any) -> Any:
            monkeypatch.setattr(FaceSet, "get", get)
            found = get(*arguments)
            assert operator.re_embed(UNIT).switched
            return found

        monkeypatch.setattr(FaceSet, "get", get_then_switch)

        expect_exact(process, process.search(faces[0].token), faces[0].token)

    def test_threads_that_notice_the_switch_together_load_the_pack_once(self, place: Place) -> None:
        process = place.process()
        faces = process.add(range(3))
        process.search(faces[0].token)
        place.process().re_embed(UNIT)
        built: list[str] = []
        build = process.parts.active_pack._build
        process.parts.active_pack._build = lambda pack: built.append(pack.name) or build(pack)  # type: ignore[func-returns-value]

        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(process.search, [face.token for face in faces] * 4))

        assert built == [UNIT]
        for face, result in zip(faces * 4, found, strict=True):
            expect_exact(process, result, face.token)

    def test_detection_waits_neither_for_the_database_nor_for_another_pack(self, place: Place) -> None:
        process = place.process()
        process.detect(PICTURE)

        # The lock is held as by one that changes the pack, and asks a database that does not answer.
        with ThreadPoolExecutor(1) as pool, process.parts.active_pack._lock:
            assert pool.submit(process.detect, PICTURE).result(timeout=60)

    def test_a_model_that_keeps_changing_is_503(self, place: Place) -> None:
        process = place.process()

        def never(_: FaceService) -> None:
            raise ModelChangedError(process.embedding_id(RAW))

        with pytest.raises(ServiceError) as raised:
            process.parts.active_pack.answer(never)
        assert raised.value.status == 503


class TestTokensOfAnotherModel:
    @pytest.fixture
    def process(self, place: Place) -> Process:
        """Return a process under UNIT, with three faces. `token` and `others` were detected under RAW."""
        process = place.process()
        process.add(range(3))
        self.token, *self.others = (process.detect(PICTURE) for _ in range(3))
        process.re_embed(UNIT)
        return process

    def test_their_faces_can_be_searched_for(self, process: Process) -> None:
        found = process.search(self.token)

        assert len(found.matches) == 3
        fresh = process.search(process.detect(PICTURE))
        np.testing.assert_allclose(
            [m.distance for m in found.matches], [m.distance for m in fresh.matches], rtol=0, atol=0.1
        )

    def test_their_faces_can_be_grouped(self, process: Process, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        """More of them than are embedded at once, and a face of this model."""
        monkeypatch.setattr(token_embeddings, "CROPS_AT_ONCE", 2)
        sizes: list[int] = []
        read = CropStore.read_temporary

        def counted(crops: CropStore, names: Sequence[str]) -> list[Crop | None]:
            sizes.append(len(names))
            return read(crops, names)

        monkeypatch.setattr(CropStore, "read_temporary", counted)
        tokens = [self.token, *self.others, place.process(UNIT).detect(PICTURE)]

        found = process.group(tokens)

        assert (found.groups, found.ungrouped) == ([tokens], [])
        assert sizes == [2, 1]

    def test_their_faces_can_be_added(self, process: Process) -> None:
        process.add_token(self.token)

        known = process.parts.face_set.get(self.token, process.active)
        assert known is not None
        assert np.linalg.norm(known.embedding) == pytest.approx(1.6)

    def test_tokens_without_a_crop_have_expired(self, process: Process, place: Place) -> None:
        client: Any = process.parts.crops._client
        for item in client.list_objects_v2(Bucket=place.crops_bucket, Prefix="temporary/")["Contents"]:
            client.delete_object(Bucket=place.crops_bucket, Key=item["Key"])

        for request in (process.search, process.add_token):
            with pytest.raises(ServiceError, match="1006"):
                request(self.token)
        with pytest.raises(ServiceError, match=f"1 of 2 face_tokens is unknown or has expired: {self.token}"):
            process.group([self.token, process.detect(PICTURE)])


def test_requests_stay_correct_while_the_model_is_switched_back_and_forth(place: Place) -> None:
    """Four processes search, add and remove faces while another one re-embeds, switches and discards.

    Each reply must be entirely under either model, the next search must see each change, and no face may be lost.
    """
    operator = place.process()
    lasting = operator.add(range(24))
    ids = [operator.embedding_id(pack) for pack in (RAW, UNIT)]
    # The distances between all lasting faces under each model, once both models have vectors made from the crops.
    operator.re_embed(UNIT)
    operations.discard(operator.parts)
    operator.re_embed(RAW)
    distances = {embedding_id: _distances(operator, embedding_id) for embedding_id in ids}
    done = threading.Event()
    seen: set[str] = set()

    def work(worker: int) -> int:
        process = place.process((RAW, UNIT)[worker % 2])
        rounds = 0
        while not done.is_set():
            own = process.detect(PICTURE)
            process.add_token(own)
            probe = lasting[(rounds + worker) % len(lasting)].token
            found = process.search(probe)
            assert own in tokens(found)
            apart = {m.token: m.distance for m in found.matches}
            models = [i for i in ids if _agree(apart, distances[i][probe])]
            assert len(models) == 1, "the distances mix models, or faces are missing"
            seen.update(models)
            process.remove(own)
            assert own not in tokens(process.search(probe))
            rounds += 1
        return rounds

    with ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(work, worker) for worker in range(4)]
        try:
            for pack in (UNIT, RAW, UNIT, RAW):
                assert operator.re_embed(pack).switched
                seen.clear()
                while operator.active not in seen and not any(worker.done() for worker in workers):
                    time.sleep(0.01)
                operations.discard(operator.parts)
        finally:
            done.set()
        rounds = [worker.result() for worker in workers]

    assert min(rounds) > 0
    assert operator.parts.face_set.count() == len(lasting)
    assert {row.embedding_id for row in operator.parts.face_set.vectors(0, 2**62)} == {operator.active}


def _agree(apart: dict[str, float], expected: dict[str, float]) -> bool:
    """Return whether distances are as expected. A vector that was discarded and recomputed may differ by rounding."""
    return all(abs(apart.get(token, np.inf) - distance) < 1e-4 for token, distance in expected.items())


def _distances(process: Process, embedding_id: str) -> dict[str, dict[str, float]]:
    """Return each face's distances to all others under a model, by token: brute force in float64."""
    rows = process.parts.face_set.fetch([row.id for row in process.parts.face_set.vectors(0, 2**62)], embedding_id)
    vectors = {row.token: row.embedding.astype(np.float64) for row in rows}
    return {
        one: {other: float(np.sqrt(np.sum((a - b) ** 2))) for other, b in vectors.items() if other != one}
        for one, a in vectors.items()
    }
