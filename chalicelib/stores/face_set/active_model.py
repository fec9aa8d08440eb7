"""Which model's embeddings the face set is searched by: one row, which everybody who reads or writes looks at."""

from __future__ import annotations

import logging
from typing import NamedTuple

from chalicelib.errors import StoreFailedError
from chalicelib.stores.database.base import Row

# One row of two tables that have one row each.
READ_STATE = """SELECT counter.version, model.embedding_id, model.switches, model.discards
    FROM face_set_version AS counter JOIN face_set_model AS model ON model.id = counter.id
    WHERE counter.id = 1"""

# The embedding id of a face set to which nobody was ever added.
NO_MODEL = ""

_log = logging.getLogger(__name__)


class ModelChangedError(Exception):
    """The face set is under another model than the caller's; what was asked for must be done anew under that one."""

    def __init__(self, embedding_id: str) -> None:
        super().__init__(f"the face set is under the embedding id {embedding_id!r}")
        self.embedding_id = embedding_id


class State(NamedTuple):
    """The face set at one moment.

    `version` is the number of changes so far. `switches` counts the changes of the model: a copy that was made before
    one is worth nothing after it, even if the model is the same again. `discards` counts the transactions that have
    erased vectors of models that are not in use.
    """

    version: int
    embedding_id: str
    switches: int
    discards: int


def check_model(active: str, embedding_id: str) -> None:
    """Raise ModelChangedError unless the active embedding id is the caller's, or there is none yet."""
    if active not in (embedding_id, NO_MODEL):
        raise ModelChangedError(active)


def only_row(rows: list[Row]) -> Row:
    """Return the row of a statement on the counter or the model, which always gives one."""
    if not rows:
        _log.error("face_set_version or face_set_model has no row: run the migration")
        raise StoreFailedError()
    return rows[0]
