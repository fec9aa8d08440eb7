"""Moves the face set to another model: embeds every face again from its crop, while the old model still answers.

Safe to kill at any point, and to run in several processes while faces are added and removed: progress is stored only as
vectors, and the switch checks that no face lacks one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from chalicelib.gallery import snapshot
from chalicelib.service.crop_embedder import CropEmbedder
from chalicelib.stores.aws.crops import CropStore
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.stores.face_set.model_change import Lacking, ModelChange
from chalicelib.stores.face_set.segments import SegmentStore
from chalicelib.vision.model import Model

# Faces per transaction and per run of the embedder: a kill loses at most a second of work.
BATCH_FACES = 64


@dataclass
class Report:
    """The result of one run. Faces are identified by token.

    `done` counts the faces embedded. `left` counts the faces without a vector under the new model. `not_found_again`
    lists faces that the new detector did not find, so the old landmarks were used. `lost` lists faces that could not
    be embedded because their crops are missing or broken.
    """

    done: int = 0
    left: int = 0
    not_found_again: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    switched: bool = False


class ReEmbedding:
    """Re-embeds the face set in one run.

    Parameters
    ----------
    model
        The new model.
    leave_behind
        Whether to switch even if faces are lost. Lost faces stay in the face set, but searches do not find them.
    prepare
        Called before the switch, when every face that is not lost has a vector: prepares the gallery for searches under
        the new model. Returns False when time was up.
    may_go_on
        Called before every batch and every range of ids. False ends the run; the next run continues.
    progress
        Called after every batch with a line of text about the remaining work.
    """

    def __init__(
        self,
        face_set: FaceSet,
        change: ModelChange,
        segments: SegmentStore,
        crops: CropStore,
        model: Model,
        *,
        leave_behind: bool = False,
        prepare: Callable[[], bool] = lambda: True,
        may_go_on: Callable[[], bool] = lambda: True,
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._face_set = face_set
        self._change = change
        self._segments = segments
        self._crops = crops
        self._embedder = CropEmbedder(model)
        self._embedding_id = model.embedding_id
        self._leave_behind = leave_behind
        self._prepare = prepare
        self._may_go_on = may_go_on
        self._progress = progress
        self._report = Report()
        self._lost: dict[int, str] = {}
        self._to_do = 0
        self._started = 0.0

    def run(self) -> Report:
        """Embed all faces without a vector under the new model, then switch if possible.

        Raises
        ------
        ServiceError
            When a store fails; vectors already stored stay.
        """
        report = self._report
        self._to_do = sum(self._change.count_lacking(self._embedding_id, *ids) for ids in self._change.ranges())
        self._started, report.left = time.monotonic(), self._to_do
        in_time = self._work_and_switch()
        report.lost = sorted(self._lost.values())
        if report.switched or in_time:
            report.left = len(report.lost)
        return report

    def _work_and_switch(self) -> bool:
        """Return False when time was up."""
        while True:
            seen, before = self._face_set.state(), self._report.done
            self._lost.clear()
            if not self._embed(self._all_lacking()):
                return False
            if self._report.done > before:
                # Packs the new model's codes for the containers that will load them.
                snapshot.compact(self._face_set, self._segments)
                continue  # checks all faces again: this is quick now, and leaves only a short log to check
            if self._lost and not self._leave_behind:
                return True
            if not self._prepare():
                return False
            while True:
                if self._lost and not self._leave_behind:
                    return True
                if self._change.switch(self._embedding_id, seen, self._lost):
                    self._report.switched = True
                    return True
                # Faces were added meanwhile.
                later = self._face_set.state()
                lacking = self._change.lacking_since(self._embedding_id, seen)
                if lacking is None:
                    break
                if not self._embed([lacking]):
                    return False
                seen = later

    def _all_lacking(self) -> Iterator[list[Lacking]]:
        for first_id, end_id in self._change.ranges():
            yield self._change.lacking(self._embedding_id, first_id, end_id)

    def _embed(self, portions: Iterator[list[Lacking]] | Sequence[list[Lacking]]) -> bool:
        """Embed faces in batches; return False when time was up before the end."""
        for faces in portions:
            for start in range(0, max(len(faces), 1), BATCH_FACES):
                if not self._may_go_on():
                    return False
                if faces:
                    self._embed_batch(faces[start : start + BATCH_FACES])
                    self._report_progress()
        return True

    def _embed_batch(self, faces: Sequence[Lacking]) -> None:
        embedded = self._embedder.embed(self._crops.read_many([face.crop for face in faces]))
        embeddings = {face.id: e.embedding for face, e in zip(faces, embedded, strict=True) if e is not None}
        self._report.done += self._change.add_embeddings(self._embedding_id, embeddings)
        self._report.left = max(0, self._report.left - len(embeddings))
        results = list(zip(faces, embedded, strict=True))
        self._report.not_found_again += [face.token for face, e in results if e is not None and not e.found_again]
        failed = [face for face, e in results if e is None]
        # A face removed a moment ago has no crop, as a removal deletes the row and then the crop.
        there = self._change.present([face.id for face in failed])
        self._lost |= {face.id: face.token for face in failed if face.id in there}

    def _report_progress(self) -> None:
        done = self._to_do - self._report.left
        rate = done / max(time.monotonic() - self._started, 1e-6)
        minutes = self._report.left / rate / 60 if rate else 0.0
        self._progress(f"{done:,} of {self._to_do:,} faces, {rate:.0f} a second, {minutes:.0f} minutes left")
