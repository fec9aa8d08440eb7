"""Fills the vector index when a local stack starts, because moto's indexes are lost when a stack stops."""

from __future__ import annotations

from chalicelib.maintenance import operations
from chalicelib.settings import Settings
from chalicelib.stores.aws import sdk
from chalicelib.wiring import Wiring
from infra.local import resources


def make(settings: Settings) -> None:
    """Create the bucket, drop the indexes of earlier moto processes, and fill a new index with the face set.

    Raises
    ------
    ServiceError
        When the database or moto fails.
    """
    resources.create_vector_bucket(sdk.client("s3vectors"), settings.vector_bucket)
    parts = Wiring(settings)
    assert parts.vectors is not None
    for row in parts.vectors.indexes.all():
        parts.vectors.indexes.drop(row.name)
    operations.rebuild_index(parts)
    parts.close()
