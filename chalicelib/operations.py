"""What is done to the face set beside requests: by scheduled functions, by a deployment, or by hand.

`python -m chalicelib.operations migrate|compact|reconcile|discard`, with the settings of the environment.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

from chalicelib import logs, re_embedding
from chalicelib.errors import ServiceError
from chalicelib.gallery import snapshot
from chalicelib.reconciliation import Reconciliation
from chalicelib.settings import SettingsError
from chalicelib.stores import schema
from chalicelib.stores.named_crops import NamedCrops
from chalicelib.vision.model_pack import ModelPack
from chalicelib.wiring import Wiring, model, wiring

log = logging.getLogger(__name__)

# What a function keeps of its time for the batch it has begun, and for a compaction.
RESERVED_MILLISECONDS = 30_000
# Tokens that a function's answer lists; Lambda's answers are limited to 6 MB.
MAX_LISTED = 10_000


def migrate(parts: Wiring) -> str:
    """Bring the database's schema to the newest version."""
    return f"the schema is at version {schema.migrate(parts.database)}"


def migrate_by_event(parts: Wiring, event: dict[str, Any]) -> str:
    """Do as `migrate`; before that, where the event says who administers the server, create the database and its users.

    Parameters
    ----------
    event
        Nothing, or `administrator`: an object of `user` and `password`. No message repeats the password.

    Raises
    ------
    SettingsError
        When the event is another one, or DATABASE_URL names no MySQL server that is verified.
    """
    if event:
        from chalicelib.stores import database_users

        database_users.create(parts.database, *_administrator(event))
    return migrate(parts)


def _administrator(event: dict[str, Any]) -> tuple[str, str]:
    match event:
        case {"administrator": {"user": str(user), "password": str(password)}} if len(event) == 1 and user:
            return user, password
    raise SettingsError("the event must be {} or {administrator: {user, password}}")


def compact(parts: Wiring) -> str:
    """Pack the changed segments anew, from which new containers load, and prune the change log."""
    version = snapshot.compact(parts.face_set, parts.segments)
    return "another compaction is at work" if version is None else f"the segments show version {version}"


def reconcile(parts: Wiring, *, however_many: bool = False, may_go_on: Callable[[], bool] = lambda: True) -> str:
    """Delete the crops that no row of the face set names, and count the rows whose crop is missing."""
    report = Reconciliation(
        NamedCrops(parts.database), parts.crops, however_many=however_many, may_go_on=may_go_on
    ).run()
    if report.missing:
        log.error("the crops of %d faces are missing: they are found, but `re_embed` will lose them", report.missing)
    if not report.complete:
        log.warning("time was up before all crops were looked at")
    missing = "unknown" if report.missing is None else report.missing
    return (
        f"{report.crops} crops: {report.deleted} of {report.orphans} without a face deleted, "
        f"{report.young} too young to tell; faces without a crop: {missing}"
    )


def discard(parts: Wiring) -> str:
    """Erase the vectors of all models but the face set's, after which there is no way back to those."""
    erased = sum(parts.model_change.discard(*ids) for ids in parts.model_change.ranges())
    return f"{erased} vectors of other models were erased; {compact(parts)}"


def re_embed(
    parts: Wiring,
    pack: ModelPack,
    *,
    leave_behind: bool,
    may_go_on: Callable[[], bool] = lambda: True,
    progress: Callable[[str], None] = lambda _: None,
) -> re_embedding.Report:
    """Embed every face anew with another pack, then put the face set under it."""
    return re_embedding.ReEmbedding(
        parts.face_set,
        parts.model_change,
        parts.segments,
        parts.crops,
        model(pack),
        leave_behind=leave_behind,
        may_go_on=may_go_on,
        progress=progress,
    ).run()


def reconcile_in_time(parts: Wiring, remaining_milliseconds: Callable[[], int]) -> str:
    """Do as much of `reconcile` as the time of one invocation allows; the next one begins anew."""
    return reconcile(parts, may_go_on=lambda: remaining_milliseconds() > RESERVED_MILLISECONDS)


def re_embed_in_time(parts: Wiring, event: dict[str, Any], remaining_milliseconds: Callable[[], int]) -> dict[str, Any]:
    """Do as much of `re_embed` as the time of one invocation allows; the next invocation goes on.

    Parameters
    ----------
    event
        `pack`: the name of a folder beside MODEL_DIR. `leave_behind`: whether to switch although faces are lost.

    Returns
    -------
    dict
        The fields of `re_embedding.Report`; done when `switched`. Long lists of tokens are cut off.
    """
    report = re_embed(
        parts,
        parts.packs.named(str(event.get("pack", ""))),
        leave_behind=event.get("leave_behind") is True,
        may_go_on=lambda: remaining_milliseconds() > RESERVED_MILLISECONDS,
    )
    return asdict(report) | {"not_found_again": report.not_found_again[:MAX_LISTED], "lost": report.lost[:MAX_LISTED]}


OPERATIONS: dict[str, Callable[[Wiring], str]] = {
    "migrate": migrate,
    "compact": compact,
    "reconcile": reconcile,
    "discard": discard,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m chalicelib.operations", description=__doc__)
    parser.add_argument("operation", choices=OPERATIONS)
    parser.add_argument(
        "--however-many", action="store_true", help="reconcile: delete crops although they are more than is credible"
    )
    arguments = parser.parse_args()
    operation = OPERATIONS[arguments.operation]
    if arguments.however_many:
        if operation is not reconcile:
            parser.error("--however-many is for reconcile")
        operation = partial(reconcile, however_many=True)
    logs.configure()
    try:
        print(operation(wiring()))  # noqa: T201  # its output is what it is run for
    except (SettingsError, ServiceError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
