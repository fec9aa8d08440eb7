"""The face set's changes, applied to codes in memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chalicelib.gallery.codes import CodeBook, encode
from chalicelib.stores.face_set.change_log import Operation
from chalicelib.stores.face_set.face_set import Change


def apply(codes: CodeBook, changes: Sequence[Change]) -> None:
    """Add and remove what changed, oldest change first; what was applied before changes nothing."""
    added = {change.face_id: (change.embedding, change.set_id) for change in changes if change.embedding is not None}
    ids = np.fromiter(added, np.int64, len(added))
    unknown = codes.unknown(ids)
    if unknown.any():
        embeddings, sets = zip(*added.values(), strict=True)
        codes.add(encode(ids[unknown], np.stack(embeddings)[unknown], np.array(sets, np.int32)[unknown]))
    # After the additions: an id is never used twice, so nothing removed comes back.
    removed = [change.face_id for change in changes if change.operation is Operation.REMOVE]
    if removed:
        codes.remove(np.array(removed, np.int64))
