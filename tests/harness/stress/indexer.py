"""Repeatedly applies changes to the vector index, rebuilds it and reconciles it."""

from __future__ import annotations

import time

from chalicelib.errors import ServiceError
from chalicelib.stores.database.connect import connect
from tests.embeddings import MODEL
from tests.harness.stress import conditions
from tests.harness.stress.galleries import vector_parts
from tests.harness.stress.numbered_faces import DIMENSION
from tests.harness.stress.plan import Plan
from tests.harness.stress.report import APPLICATIONS, INDEX, REBUILDS, RECALL, RECONCILIATIONS, REFUSED, Report

LONGEST_PAUSE_SECONDS = 0.3
_WEIGHTS = {"apply": 6, "rebuild": 2, "reconcile": 2}


def index(plan: Plan, name: str) -> None:
    """Apply, rebuild and reconcile until killed."""
    conditions.prepare(plan)
    random = plan.random(name)
    conditions.delay_statements(random)
    report = Report(plan.folder, name)
    conditions.take_naps(plan.random(f"{name} naps"), report, every=4, longest=1.5)
    parts = vector_parts(connect(plan.url), plan.vectors)
    while True:
        plan.check_time()
        try:
            match random.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]:
                case "apply":
                    parts.changes.apply()
                    parts.changes.delete_retired()
                    report.count(APPLICATIONS)
                case "rebuild":
                    report.count(REBUILDS, int(parts.rebuild.run(MODEL, DIMENSION).used))
                case "reconcile":
                    reconciliation = parts.reconciliation(MODEL, DIMENSION, lambda: True)
                    recall = reconciliation.measure()
                    if recall is not None and recall.share < 1:
                        report.fail(RECALL, "measured", str(recall))
                    found = reconciliation.run()
                    if found and found.complete:
                        report.count(RECONCILIATIONS)
                        if not found.equal:
                            report.fail(INDEX, "reconciled", str(found))
        except ServiceError as error:
            if error.status != 503:
                raise
            report.count(REFUSED)
        time.sleep(random.uniform(0, LONGEST_PAUSE_SECONDS))
