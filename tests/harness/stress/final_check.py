"""Checks that rows, journals, log, segments and galleries agree after all changes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np

from chalicelib.faces import Terms
from chalicelib.gallery import snapshot
from chalicelib.gallery.exact_search import ExactSearch
from chalicelib.gallery.memory_gallery import MemoryGallery
from chalicelib.stores.aws.segment_objects import SegmentObjects
from chalicelib.stores.database.base import Database
from chalicelib.stores.database.connect import connect
from chalicelib.stores.face_set.change_log import Operation
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.stores.face_set.segments import SegmentStore
from tests.embeddings import MODEL
from tests.harness.stress import conditions
from tests.harness.stress.galleries import ids_of, new_gallery, vector_parts
from tests.harness.stress.journal import Fate, Ledger
from tests.harness.stress.numbered_faces import DIMENSION, SET_IDS, code, embedding, set_id, token
from tests.harness.stress.plan import Plan
from tests.harness.stress.report import ERASED, GALLERY, INDEX, LOG, LOST, PHANTOM, SEARCHES, SEGMENT, SOUGHT, Report
from tests.harness.stress.segment_bucket import sound_objects
from tests.oracle import brute_force

PROBES = 48
THRESHOLDS = (0.0, 0.3, 0.65, 0.9, 100.0)
LIMITS = (1, 10, 100_000)


def check_all(plan: Plan, name: str) -> None:
    """Run the checks after the writers, readers and compactors have ended."""
    conditions.prepare(plan)
    report = Report(plan.folder, name)
    database = connect(plan.url)
    face_set = FaceSet(database)
    ledger = Ledger([plan.journal(writer) for writer in range(plan.writers)])
    ledger.read()
    _wait_for_transactions(database)
    _check_rows(database, ledger, report)
    _check_log(database, ledger, report)

    setattr(snapshot, "CHANGES_KEPT", 0)  # noqa: B010 - imported there, so the type checker forbids the assignment
    objects = sound_objects(plan)
    segments = SegmentStore(database, objects, in_objects=objects is not None)
    if plan.vectors:
        check_index(database, face_set, plan, report)
    while snapshot.compact(face_set, segments) is None:  # the killed one's lease must run out
        plan.check_time()
        time.sleep(0.1)
    _check_segments(database, segments, objects, ledger, report)
    random = plan.random(name)
    numbers = [random.randrange(len(ledger.fates())) for _ in range(PROBES)]
    check_galleries({"new": new_gallery(database, plan, random, report)}, face_set, numbers, report)


def check_galleries(
    galleries: Mapping[str, ExactSearch], face_set: FaceSet, numbers: Sequence[int], report: Report
) -> None:
    """Compare galleries with the rows, and their results for some faces with brute force over the rows."""
    expected_ids = sorted(row.id for row in face_set.vectors(0, 2**62))
    for i, number in enumerate(numbers):
        probe, threshold, limit = embedding(number), THRESHOLDS[i % len(THRESHOLDS)], LIMITS[i % len(LIMITS)]
        within = SET_IDS[i % len(SET_IDS)]
        expected = brute_force(face_set, MODEL, probe, threshold, limit, set_id=within)
        for name, gallery in galleries.items():
            if gallery.search(probe, Terms(threshold, limit, set_id=within)) != expected:
                report.fail(GALLERY, name, f"results differ from brute force: face {number}, {threshold}, {limit}")
            report.count(SEARCHES)
    for name, gallery in galleries.items():
        if not isinstance(gallery, MemoryGallery):
            continue
        ids = ids_of(gallery)
        if ids != expected_ids:
            missing, extra = set(expected_ids) - set(ids), set(ids) - set(expected_ids)
            report.fail(GALLERY, name, f"{len(ids)} ids, lacks {sorted(missing)[:9]}, has {sorted(extra)[:9]} too many")


def check_index(database: Database, face_set: FaceSet, plan: Plan, report: Report) -> None:
    """Check that the vector index, after all changes, contains every face exactly once and nothing else."""
    parts = vector_parts(database, plan.vectors)
    parts.changes.apply()
    while parts.changes.behind():  # the killed one's lease must run out
        plan.check_time()
        time.sleep(0.1)
        parts.changes.apply()
    used = parts.indexes.used(MODEL)
    if used is None:
        report.fail(INDEX, "all", "are gone")
        return
    held = [vector for page in parts.store().listed(used.name, 0, 1) for vector in page]
    expected = {row.id: row for row in face_set.vectors(0, 2**62)}
    if sorted(vector.face_id for vector in held) != sorted(expected):
        ids = {vector.face_id for vector in held}
        missing, extra = expected.keys() - ids, ids - expected.keys()
        report.fail(INDEX, "ids", f"{len(ids)}, lacks {sorted(missing)[:9]}, has {sorted(extra)[:9]} too many")
    for vector in held:
        row = expected.get(vector.face_id)
        if row and (row.set_id != vector.set_id or row.embedding.tobytes() != vector.embedding.tobytes()):
            report.fail(INDEX, vector.face_id, "differs from its row")
    reconciliation = parts.reconciliation(MODEL, DIMENSION, lambda: True)
    found = reconciliation.run()
    if found is None or not found.complete:
        report.fail(INDEX, "reconciliation", "did not end")
    # The reconciliation has repaired the differences.
    found, recall = reconciliation.run(), reconciliation.measure()
    if found is None or not found.equal or (recall is not None and recall.share < 1):
        report.fail(INDEX, "reconciled", f"{found}, {recall}")


def _wait_for_transactions(database: Database) -> None:
    """Wait for the counter's lock, because a server may still be committing a killed client's change."""
    database.write(lambda t: t.query("SELECT version FROM face_set_version WHERE id = 1 FOR UPDATE"))


def _check_rows(database: Database, ledger: Ledger, report: Report) -> None:
    rows = database.read(
        """SELECT face.face_token, face.face_name, face.set_id, vector.embedding
            FROM face_set AS face LEFT JOIN face_set_embedding AS vector ON vector.face_id = face.id"""
    )
    if database.read("SELECT COUNT(*) FROM face_set_embedding") != [(len(rows),)]:
        report.fail(PHANTOM, "vectors", "have no face, or a face has two")
    there = {int(row[0]): row for row in rows}
    fates = ledger.fates()
    for number in ledger.with_fate(Fate.THERE):
        if number not in there:
            report.fail(LOST, number, "has no row")
    for number, (found_token, *found) in there.items():
        if number >= len(fates) or fates[number] in {Fate.NEVER, Fate.GONE}:
            report.fail(PHANTOM, number, "has a row")
        stored = [f"name {number}", set_id(number), embedding(number).astype("<f4").tobytes()]
        if [found_token, *found] != [token(number), *stored]:
            report.fail(LOST, number, "its row differs from the addition")
    for numbers in ledger.together:
        adding = [number for number in numbers if fates[number] == Fate.ADDING]
        if 0 < len(there.keys() & set(adding)) < len(adding):
            report.fail(LOST, numbers, "were added only in part")

    changes = 0
    for number, fate in enumerate(fates.tolist()):
        if fate in {Fate.ADDING, Fate.THERE}:
            changes += number in there
        elif fate in {Fate.REMOVING, Fate.GONE}:
            changes += 1 if number in there else 2
    version = FaceSet(database).version()
    if version != changes:
        report.fail(LOG, "version", f"{version} for {changes} changes")


def _check_log(database: Database, ledger: Ledger, report: Report) -> None:
    [(version, pruned)] = database.read("SELECT version, pruned_version FROM face_set_version")
    log = sorted(database.read("SELECT version, op, face_id FROM face_set_change"))
    if [entry[0] for entry in log] != list(range(pruned + 1, version + 1)):
        report.fail(LOG, "versions", f"not those from {pruned + 1} to {version}")
    there = {row[0] for row in database.read("SELECT id FROM face_set")}
    removed: set[int] = set()
    added: set[int] = set()
    # Backwards, because a face that is removed later has no row now.
    for number, operation, face_id in reversed(log):
        known = removed if operation == Operation.REMOVE else added
        wrong = face_id in known or face_id in added
        wrong |= face_id in there if operation == Operation.REMOVE else face_id not in there | removed
        known.add(face_id)
        if wrong:
            report.fail(LOG, number, f"operation {operation} on face id {face_id}")


def _check_segments(
    database: Database, segments: SegmentStore, objects: SegmentObjects | None, ledger: Ledger, report: Report
) -> None:
    """Check that the fully compacted segments contain every face once and no removed face."""
    packed = list(segments.read(MODEL))
    ids = [face_id for segment in packed for face_id in np.frombuffer(segment.ids, "<i8").tolist()]
    there = sorted(row[0] for row in database.read("SELECT id FROM face_set"))
    if sorted(ids) != there:
        report.fail(SEGMENT, "ids", f"{len(ids)} of {len(there)}, {len(set(ids) - set(there))} of them removed faces'")
    if any(len(segment.codes) != len(segment.ids) // 8 * DIMENSION for segment in packed):
        report.fail(SEGMENT, "codes", "more or fewer than ids")
    rows = database.read("SELECT object, codes FROM face_set_segment")
    stored = {name: objects.read(name, size) or b"" for name, size, _ in objects.listed()} if objects else {}
    if objects and sorted(stored) != sorted(name for name, _ in rows):
        report.fail(SEGMENT, "objects", f"{len(stored)} for {len(rows)} rows")
    _check_erasure(b"".join([*stored.values(), *(codes for _, codes in rows)]), ledger, database, report)


def _check_erasure(stored: bytes, ledger: Ledger, database: Database, report: Report) -> None:
    """Look for the code of every removed face in all packed bytes. A face may have another face's code."""
    there = {code(int(number)) for (number,) in database.read("SELECT face_token FROM face_set")}
    for number in ledger.with_fate(Fate.GONE):
        if (removed := code(number)) not in there and removed in stored:
            report.fail(ERASED, number, "is still packed")
    report.count(SOUGHT, len(ledger.with_fate(Fate.GONE)))
    if not all(known in stored for known in there):
        report.fail(SEGMENT, "codes", "are not where they are looked for")
