"""Reads and checks the active model: one row, which every reader and writer reads."""

from __future__ import annotations

import logging
from typing import NamedTuple

from chalicelib.errors import StoreFailedError
from chalicelib.stores.database.base import Row

# Joins two tables of one row each.
READ_STATE = """SELECT counter.version, model.embedding_id, model.switches, model.discards
    FROM face_set_version AS counter JOIN face_set_model AS model ON model.id = counter.id
    WHERE counter.id = 1"""

# The embedding id of a face set that has never had a face.
NO_MODEL = ""

_log = logging.getLogger(__name__)


class ModelChangedError(Exception):
    """The face set uses another model than the caller; the caller must start again with that model."""

    def __init__(self, embedding_id: str) -> None:
        super().__init__(f"the face set uses the embedding id {embedding_id!r}")
        self.embedding_id = embedding_id


class State(NamedTuple):
    """The face set at one moment.

    `version` is the number of changes so far. `switches` counts the changes of model: each one invalidates all earlier
    copies, even if the same model is active again. `discards` counts the transactions that erased vectors of inactive
    models.
    """

    version: int
    embedding_id: str
    switches: int
    discards: int


def check_model(active: str, embedding_id: str) -> None:
    """Raise ModelChangedError unless `active` is the caller's `embedding_id` or no model is active yet."""
    if active not in (embedding_id, NO_MODEL):
        raise ModelChangedError(active)


def only_row(rows: list[Row]) -> Row:
    """Return the first row of a statement on the counter or the model; raise ServiceError (500) when there is none."""
    if not rows:
        _log.error("face_set_version or face_set_model has no row: run the migration")
        raise StoreFailedError()
    return rows[0]
