"""Deletes expired items and objects from moto, as DynamoDB and S3 do by themselves, and frees moto's memory."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moto.dynamodb.models.table import Table
    from moto.s3.models import FakeBucket

INTERVAL_SECONDS = 60


def start() -> None:
    """Delete expired items and objects every minute, in a thread that ends with the process."""
    release_the_deleted()

    def run() -> None:
        while True:
            time.sleep(INTERVAL_SECONDS)
            expire(time.time())

    threading.Thread(target=run, daemon=True).start()


def release_the_deleted() -> None:
    """Stop moto keeping a list of every object and item it has ever made, including deleted ones."""
    from moto.core.common_models import BaseModel

    def new(cls: type[BaseModel], *_: Any, **__: Any) -> BaseModel:
        return object.__new__(cls)

    BaseModel.__new__ = new  # type: ignore[method-assign]


def expire(now: float) -> None:
    """Delete items past their table's TTL and objects past their bucket's expiry rules.

    Parameters
    ----------
    now
        In seconds since 1970.
    """
    from moto.core.models import DEFAULT_ACCOUNT_ID
    from moto.dynamodb.models import dynamodb_backends
    from moto.s3.models import s3_backends

    for backend in list(dynamodb_backends[DEFAULT_ACCOUNT_ID].values()):
        for table in list(backend.tables.values()):
            _expire_items(table, now)
    for bucket in list(s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets.values()):
        _expire_objects(bucket, now)


def _expire_items(table: Table, now: float) -> None:
    attribute = table.ttl.get("AttributeName")
    if table.has_range_key or attribute is None:
        return
    items: Any = table.items
    for key, item in list(items.items()):
        expires_at = item.attrs.get(attribute)
        if expires_at is not None and float(expires_at.value) <= now:
            items.pop(key, None)


def _expire_objects(bucket: FakeBucket, now: float) -> None:
    for rule in bucket.rules:
        if rule.status != "Enabled" or rule.expiration_days is None:
            continue
        prefix = rule.filter.prefix if rule.filter is not None else rule.prefix
        end = datetime.fromtimestamp(now, UTC).replace(tzinfo=None) - timedelta(days=int(rule.expiration_days))
        for name in list(dict.keys(bucket.keys)):  # a copy: requests change the bucket meanwhile
            key = bucket.keys.get(name)
            if name.startswith(prefix or "") and key is not None and key.last_modified <= end:
                with suppress(KeyError):  # deleted meanwhile
                    bucket.keys.pop(name)
