"""Compacts repeatedly."""

from __future__ import annotations

import time

from chalicelib.errors import ServiceError
from chalicelib.gallery import snapshot
from chalicelib.stores.database.connect import connect
from chalicelib.stores.face_set.face_set import FaceSet
from tests.harness.stress import conditions
from tests.harness.stress.galleries import vector_parts
from tests.harness.stress.plan import Plan
from tests.harness.stress.report import COMPACTIONS, OVERTAKEN, REFUSED, REFUSED_RUNS, Report
from tests.harness.stress.segment_bucket import frail_objects

LONGEST_PAUSE_SECONDS = 0.1


def compact(plan: Plan, name: str) -> None:
    """Compact until killed."""
    conditions.prepare(plan)
    random = plan.random(name)
    conditions.delay_statements(random)
    report = Report(plan.folder, name)
    conditions.take_naps(plan.random(f"{name} naps"), report, every=4, longest=1.5)
    database = connect(plan.url)
    face_set, segments = FaceSet(database), conditions.SlowWrites(database, frail_objects(plan, random, report), random)
    vectors = vector_parts(database, plan.vectors) if plan.vectors else None
    while True:
        plan.check_time()
        try:
            needed_from = vectors.indexes.oldest_version() if vectors else None
            version = snapshot.compact(face_set, segments, needed_from)
            if version is not None:
                report.count(COMPACTIONS)
            else:
                report.count(OVERTAKEN if segments.claimed else REFUSED_RUNS)
        except ServiceError as error:
            if error.status != 503:
                raise
            report.count(REFUSED)
        time.sleep(random.uniform(0, LONGEST_PAUSE_SECONDS))
