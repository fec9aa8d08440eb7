"""The galleries of a run's processes: correct ones, and deliberately broken ones."""

from __future__ import annotations

import random

import numpy as np

from chalicelib.gallery.code_bounds import Candidates
from chalicelib.gallery.exact_search import ExactSearch
from chalicelib.gallery.memory_gallery import MemoryGallery
from chalicelib.stores.database.base import Database
from chalicelib.stores.embedding_bytes import from_bytes
from chalicelib.stores.face_set.change_log import Change, Operation
from chalicelib.stores.face_set.face_set import MAX_CHANGES_PER_POLL, FaceSet
from chalicelib.vector_wiring import VectorWiring
from tests.embeddings import MODEL
from tests.harness.stress.addresses import bucket, lead_to
from tests.harness.stress.conditions import SlowLoads
from tests.harness.stress.numbered_faces import DIMENSION
from tests.harness.stress.plan import Fault, Plan
from tests.harness.stress.report import COLD_LOADS, RELOADS, Report
from tests.harness.stress.segment_bucket import frail_objects


def new_gallery(database: Database, plan: Plan, chance: random.Random, report: Report) -> ExactSearch:
    """Return a gallery as in a new container."""
    memory = new_memory_gallery(database, plan, chance, report)
    if not plan.vectors:
        return memory
    gallery = vector_parts(database, plan.vectors).gallery(memory, MODEL, DIMENSION)
    if plan.fault is Fault.LOOKS_AT_NO_TAIL:
        nothing = Candidates(np.zeros(0, np.int64), np.zeros(0), np.inf)
        gallery._tail.near_each = lambda probes, *_: [nothing] * len(probes)  # type: ignore[method-assign]
    return gallery


def new_memory_gallery(database: Database, plan: Plan, chance: random.Random, report: Report) -> MemoryGallery:
    objects = frail_objects(plan, chance, report)
    segments = SlowLoads(database, objects, chance, lambda: report.count(COLD_LOADS), lambda: report.count(RELOADS))
    return MemoryGallery(_BROKEN.get(plan.fault, FaceSet)(database), segments, MODEL, DIMENSION)


def vector_parts(database: Database, endpoint: str) -> VectorWiring:
    """Return the gallery of GALLERY=s3vectors."""
    lead_to(endpoint)
    return VectorWiring(database, bucket(endpoint))


def ids_of(gallery: MemoryGallery) -> list[int]:
    """Return the ids of a gallery's codes, ascending; an id that it contains twice appears twice."""
    blocks = gallery._codes._blocks
    ids = np.concatenate([np.zeros(0, np.int64), *(block.ids[: block.count] for block in blocks)])
    return sorted(ids.tolist())


class _FollowingIds(FaceSet):
    """Treats only the rows above its highest known id as new."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._highest = 0

    def changes_since(self, version: int, embedding_id: str, limit: int = MAX_CHANGES_PER_POLL) -> list[Change] | None:
        rows = self._database.read(
            """SELECT face.id, vector.embedding, face.set_id
                FROM face_set AS face JOIN face_set_embedding AS vector ON vector.face_id = face.id
                WHERE face.id > ? ORDER BY face.id LIMIT ?""",
            (self._highest, limit),
        )
        changes = super().changes_since(version, embedding_id, limit)
        if not changes:
            return changes
        self._highest = max([self._highest, *(row[0] for row in rows)])
        first = changes[0].version
        added = [Change(first, Operation.ADD, row[0], from_bytes(row[1]), row[2]) for row in rows]
        return added + [_silent(change) if change.operation is Operation.ADD else change for change in changes]


class _SkippingAdditions(FaceSet):
    def changes_since(self, version: int, embedding_id: str, limit: int = MAX_CHANGES_PER_POLL) -> list[Change] | None:
        changes = super().changes_since(version, embedding_id, limit)
        return changes and [_silent(change) if _skipped(change) else change for change in changes]


def _skipped(change: Change) -> bool:
    return change.operation is Operation.ADD and change.face_id % 10 == 0


def _silent(change: Change) -> Change:
    """Return a change that has no effect on a gallery."""
    return change._replace(operation=Operation.ADD, embedding=None)


_BROKEN: dict[Fault, type[FaceSet]] = {
    Fault.FOLLOWS_IDS: _FollowingIds,
    Fault.SKIPS_ADDITIONS: _SkippingAdditions,
}
