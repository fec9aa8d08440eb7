"""Applies the face set's changes to codes in memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chalicelib.gallery.codes import CodeBook, encode
from chalicelib.stores.face_set.change_log import Change, Operation


def apply(codes: CodeBook, changes: Sequence[Change]) -> None:
    """Apply changes, given oldest first. Changes that are already applied have no effect."""
    added = {change.face_id: (change.embedding, change.set_id) for change in changes if change.embedding is not None}
    ids = np.fromiter(added, np.int64, len(added))
    unknown = codes.unknown(ids)
    if unknown.any():
        embeddings, sets = zip(*added.values(), strict=True)
        codes.add(encode(ids[unknown], np.stack(embeddings)[unknown], np.array(sets, np.int32)[unknown]))
    # Removals come last: ids are never reused, so no removed face is added again.
    removed = [change.face_id for change in changes if change.operation is Operation.REMOVE]
    if removed:
        codes.remove(np.array(removed, np.int64))
