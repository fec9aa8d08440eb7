"""Maintains the face set outside requests: from scheduled functions, from a deployment, or by hand.

Run it by hand as `python -m chalicelib.maintenance.operations OPERATION`, with the environment's settings; OPERATION is
migrate, restored, compact, reconcile, discard or rebuild-index.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

from chalicelib.errors import ServiceError
from chalicelib.gallery import snapshot
from chalicelib.gallery.index_reconciliation import IndexReconciliation
from chalicelib.maintenance import re_embedding
from chalicelib.maintenance.after_changes import after_changes
from chalicelib.maintenance.orphaned_crops import Reconciliation
from chalicelib.settings import SettingsError
from chalicelib.stores.face_set import schema
from chalicelib.stores.face_set.active_model import NO_MODEL
from chalicelib.telemetry import logs
from chalicelib.telemetry.metrics import Metric, measure
from chalicelib.vector_wiring import VectorWiring
from chalicelib.vision.model_pack import ModelPack
from chalicelib.wiring import Wiring, model, wiring

log = logging.getLogger(__name__)

# Time that a function reserves to finish the current batch and a compaction.
RESERVED_MILLISECONDS = 30_000
# Tokens listed in a function's answer, which Lambda limits to 6 MB.
MAX_LISTED = 10_000


# `migrate` builds the vector index of a face set up to this size.
FEW_FACES = 10_000


def migrate(parts: Wiring) -> str:
    """Migrate the schema to the newest version. With GALLERY=s3vectors, also build a missing index of a small face set.

    With another gallery, retire all vector indexes. Scheduled functions look at a database that pauses after this.
    """
    parts.announce_change()
    done = f"the schema is at version {schema.migrate(parts.database)}"
    if parts.vectors is None:
        # With another gallery no process updates the indexes, so a later return to s3vectors must build new ones.
        parts.vector_indexes.retire_others(NO_MODEL)
        return done
    if parts.vectors.indexes.used(_active(parts).embedding_id):
        return done
    if parts.face_set.count() > FEW_FACES:
        return f"{done}; there is no vector index yet, so searches use memory until `rebuild-index` has built one"
    return f"{done}; {rebuild_index(parts)}"


def restored(parts: Wiring) -> str:
    """Migrate a database that was restored to an earlier state, and invalidate all copies made before that.

    Copies are identified by their version, and a restored database soon has different changes under the same versions.
    """
    schema.migrate(parts.database)
    parts.model_change.disown_copies(int(time.time()))
    parts.vector_indexes.retire_others(NO_MODEL)
    return f"{migrate(parts)}; every process that has loaded the face set reloads it"


def migrate_by_event(parts: Wiring, event: dict[str, Any]) -> str:
    """Run `migrate` or `restored`, as the event says. Given an administrator, first create the database and its users.

    Parameters
    ----------
    event
        Empty; or `restored`: true; or `administrator`: an object of `user` and `password`. No message repeats the
        password.

    Raises
    ------
    SettingsError
        When the event has another form, or when it has an administrator and DATABASE_URL names no verified MySQL
        server.
    """
    if event == {"restored": True}:
        return restored(parts)
    if event:
        from chalicelib.stores.database import database_users

        database_users.create(parts.database, *_administrator(event))
    return migrate(parts)


def _administrator(event: dict[str, Any]) -> tuple[str, str]:
    match event:
        case {"administrator": {"user": str(user), "password": str(password)}} if len(event) == 1 and user:
            return user, password
    raise SettingsError("the event must be {}, {restored: true} or {administrator: {user, password}}")


def compact(parts: Wiring, *, may_go_on: Callable[[], bool] = lambda: True) -> str:
    """Repack the changed segments, which new containers load, and prune the change log.

    First apply pending changes to the vector indexes, if there are any. Changes that they still lack stay in the log.
    """
    return _compact(parts, may_go_on)[0]


def _compact(parts: Wiring, may_go_on: Callable[[], bool]) -> tuple[str, bool]:
    """Do what `compact` says; also return whether nothing is left for the next run."""
    needed_from, applied, behind = None, "", 0
    if parts.vectors is not None:
        behind = _apply(parts, parts.vectors, may_go_on)
        applied = f"; the vector index lacks {behind} changes"
        needed_from = parts.vectors.indexes.oldest_version()
    version = snapshot.compact(parts.face_set, parts.segments, needed_from, may_go_on)
    if version is None:
        measure(Metric.SKIPPED, 1)
        log.warning("nothing was compacted: another compaction is at work")
        return f"another compaction is at work{applied}", False
    return f"the segments show version {version}{applied}", not behind and may_go_on()


def _apply(parts: Wiring, vectors: VectorWiring, may_go_on: Callable[[], bool]) -> int:
    """Apply pending changes to the vector indexes; return how many they still lack."""
    try:
        vectors.changes.apply(may_go_on)
        vectors.changes.delete_retired()
    except ServiceError:
        log.warning("the vector index could not be updated; the next run continues")
    except Exception:  # the compaction must still remove the codes of removed faces
        log.exception("the vector index could not be updated; the next run continues")
    behind = vectors.changes.behind()
    measure(Metric.INDEX_BEHIND, behind)
    if vectors.indexes.used(_active(parts).embedding_id) is None:
        log.warning("there is no vector index of the face set's model: searches use memory until `rebuild-index`")
    return behind


def rebuild_index(
    parts: Wiring,
    *,
    may_go_on: Callable[[], bool] = lambda: True,
    progress: Callable[[str], None] = lambda _: None,
) -> str:
    """Fill a new vector index beside the one in use, if any, then switch searches to the new index."""
    if parts.vectors is None:
        raise SettingsError("GALLERY is not s3vectors: there is no vector index to rebuild")
    pack = _active(parts)
    rebuilt = parts.vectors.rebuild.run(pack.embedding_id, pack.embedder.dimension, may_go_on, progress)
    done = f"{rebuilt.written} vectors were written"
    return f"{done}; searches ask the new vector index" if rebuilt.used else f"{done}; run it again to continue"


def _active(parts: Wiring) -> ModelPack:
    """Return the pack of the active model; MODEL_DIR's if no model is active or its pack is missing."""
    return parts.packs.with_id(parts.face_set.state().embedding_id) or parts.packs.own


def reconcile(parts: Wiring, *, however_many: bool = False, may_go_on: Callable[[], bool] = lambda: True) -> str:
    """Delete crops that no row of the face set refers to, and count rows with a missing crop.

    With GALLERY=s3vectors, first measure the index's recall, which is quick for any number of faces, and last repair
    the index's differences from the rows.
    """
    return _reconcile(parts, however_many=however_many, may_go_on=may_go_on)[0]


def _reconcile(parts: Wiring, *, however_many: bool, may_go_on: Callable[[], bool]) -> tuple[str, bool]:
    """Do what `reconcile` says; also return whether all crops were judged."""
    if parts.vectors is None:
        return _reconcile_crops(parts, however_many=however_many, may_go_on=may_go_on)
    pack = _active(parts)
    index = parts.vectors.reconciliation(pack.embedding_id, pack.embedder.dimension, may_go_on)
    recall = index.measure()
    crops, complete = _reconcile_crops(parts, however_many=however_many, may_go_on=may_go_on)
    compared = _reconcile_index(index)
    measured = "not measured" if recall is None else f"{recall.share:.4f}"
    return f"{crops}; {compared}; recall {measured}", complete


def _reconcile_index(index: IndexReconciliation) -> str:
    report = index.run()
    if report is None:
        return "there is no vector index yet"
    if not report.complete:
        log.warning("the vector index was not fully compared: time was up, or another process was writing to it")
    return (
        f"{report.faces} vectors compared with the index: {report.missing} were missing, {report.different} different, "
        f"{report.surplus} without a face"
    )


def _reconcile_crops(parts: Wiring, *, however_many: bool, may_go_on: Callable[[], bool]) -> tuple[str, bool]:
    report = Reconciliation(parts.referenced_crops, parts.crops, however_many=however_many, may_go_on=may_go_on).run()
    if report.missing:
        log.error("%d faces have no crop: searches find them, but `re_embed` cannot embed them", report.missing)
    if not report.complete:
        log.warning("time was up before all crops were checked")
    complete = report.complete and report.credible
    if not complete:
        measure(Metric.SKIPPED, 1)
    missing = "unknown" if report.missing is None else report.missing
    text = (
        f"{report.crops} crops: {report.deleted} of {report.orphans} without a face deleted, "
        f"{report.young} too new to judge; faces without a crop: {missing}"
    )
    return text, complete and not report.failed


def discard(parts: Wiring) -> str:
    """Erase the vectors of all inactive models. A later switch back to one must embed every face again."""
    erased = sum(parts.model_change.discard(*ids) for ids in parts.model_change.ranges())
    if parts.vectors is not None:
        parts.vectors.indexes.retire_others(parts.face_set.state().embedding_id)
    return f"{erased} vectors of other models were erased; {compact(parts)}"


def re_embed(
    parts: Wiring,
    pack: ModelPack,
    *,
    leave_behind: bool,
    may_go_on: Callable[[], bool] = lambda: True,
    progress: Callable[[str], None] = lambda _: None,
) -> re_embedding.Report:
    """Embed every face again with another pack, then switch the face set to it."""

    def prepare() -> bool:
        """Build the new model's vector index before searches need it."""
        vectors = parts.vectors
        if vectors is None or vectors.indexes.used(pack.embedding_id):
            return True
        return vectors.rebuild.run(pack.embedding_id, pack.embedder.dimension, may_go_on, progress).used

    return re_embedding.ReEmbedding(
        parts.face_set,
        parts.model_change,
        parts.segments,
        parts.crops,
        model(pack),
        leave_behind=leave_behind,
        prepare=prepare,
        may_go_on=may_go_on,
        progress=progress,
    ).run()


def reconcile_in_time(parts: Wiring, remaining_milliseconds: Callable[[], int]) -> str:
    """Do as much of `reconcile` as one invocation's time allows. The next invocation starts again.

    Leave a database that pauses alone when nothing has changed since the last run.
    """
    work = partial(_reconcile, parts, however_many=False, may_go_on=_time_is_left(remaining_milliseconds))
    return after_changes(parts.reconciliation_marks, work)


def compact_in_time(parts: Wiring, remaining_milliseconds: Callable[[], int]) -> str:
    """Run `compact`. When time is up, leave the vector index's pending changes to the next invocation.

    Leave a database that pauses alone when nothing has changed since the last run.
    """
    return after_changes(parts.compaction_marks, partial(_compact, parts, _time_is_left(remaining_milliseconds)))


def _time_is_left(remaining_milliseconds: Callable[[], int]) -> Callable[[], bool]:
    return lambda: remaining_milliseconds() > RESERVED_MILLISECONDS


def rebuild_index_in_time(parts: Wiring, remaining_milliseconds: Callable[[], int]) -> str:
    """Do as much of `rebuild_index` as one invocation's time allows. The next invocation continues."""
    return rebuild_index(parts, may_go_on=_time_is_left(remaining_milliseconds))


def re_embed_in_time(parts: Wiring, event: dict[str, Any], remaining_milliseconds: Callable[[], int]) -> dict[str, Any]:
    """Do as much of `re_embed` as one invocation's time allows. The next invocation continues.

    Parameters
    ----------
    event
        `pack`: the name of a folder beside MODEL_DIR. `leave_behind`: whether to switch even if faces are lost.

    Returns
    -------
    dict
        The fields of `re_embedding.Report`. The work is done when `switched` is true. Lists of tokens are cut to
        MAX_LISTED, with a warning in the log.
    """
    report = re_embed(
        parts,
        parts.packs.named(str(event.get("pack", ""))),
        leave_behind=event.get("leave_behind") is True,
        may_go_on=_time_is_left(remaining_milliseconds),
    )
    return asdict(report) | {"not_found_again": listed(report.not_found_again), "lost": listed(report.lost)}


def listed(tokens: list[str]) -> list[str]:
    """Return the first MAX_LISTED tokens; log the total number when there are more."""
    if len(tokens) > MAX_LISTED:
        log.warning("the answer lists the first %d of %d tokens", MAX_LISTED, len(tokens))
    return tokens[:MAX_LISTED]


OPERATIONS: dict[str, Callable[[Wiring], str]] = {
    "migrate": migrate,
    "restored": restored,
    "compact": compact,
    "reconcile": reconcile,
    "discard": discard,
    "rebuild-index": partial(rebuild_index, progress=log.info),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m chalicelib.maintenance.operations", description=__doc__)
    parser.add_argument("operation", choices=OPERATIONS)
    parser.add_argument(
        "--however-many",
        action="store_true",
        help="reconcile: delete orphans even if suspiciously many",
    )
    arguments = parser.parse_args()
    operation = OPERATIONS[arguments.operation]
    if arguments.however_many:
        if operation is not reconcile:
            parser.error("--however-many is only valid with reconcile")
        operation = partial(reconcile, however_many=True)
    logs.configure()
    try:
        print(operation(wiring()))  # noqa: T201  # the command's output
    except (SettingsError, ServiceError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
