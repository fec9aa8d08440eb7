"""Packs the face set's codes into segments, so that a new container need not read every row.

Segment n holds the faces with ids in [n * SEGMENT_IDS, (n + 1) * SEGMENT_IDS). Compaction repacks the segments that the
change log mentions since the last compaction, from the current rows. Segments may be newer than the version recorded at
the end. This is harmless, as applying a change twice has no effect.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chalicelib.faces import DEFAULT_SET_ID
from chalicelib.gallery.code_block import Coded
from chalicelib.gallery.codes import CodeBook, encode
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.stores.face_set.segments import SEGMENT_IDS, Segment, SegmentStore

# Changes per step of a compaction. A finished step is never repeated.
CHANGES_PER_STEP = 500_000
# Changes kept in the log for containers that are behind. Containers farther behind load the segments.
CHANGES_KEPT = 100_000


class Loading:
    """Fills a code book from the segments.

    `version` is the version after which changes must be applied. Faces of a segment that is lost, as after restoring
    the database from a backup, come from their rows.
    """

    def __init__(self, face_set: FaceSet, segments: SegmentStore, embedding_id: str, dimension: int) -> None:
        self.codes = CodeBook(dimension)
        self.version = segments.version()
        self._face_set = face_set
        self._segments = segments
        self._embedding_id = embedding_id
        self._next = 0

    def go_on(self) -> None:
        """Load what is missing. After an error, such as the end of a request's time, the next call continues."""
        for segment in self._segments.read(self._embedding_id, self._repack, self._next):
            ids = np.frombuffer(segment.ids, "<i8")
            values = np.frombuffer(segment.codes, np.int8).reshape(len(ids), -1)
            sets = np.frombuffer(segment.sets, "<i4") if segment.sets else np.full(len(ids), DEFAULT_SET_ID, np.int32)
            self.codes.add([Coded(segment.exponent, segment.residual, ids, values, sets)])
            # An error comes between two ranges, never between the segments of one.
            self._next = int(ids[0]) // SEGMENT_IDS + 1

    def _repack(self, number: int) -> list[Segment]:
        return [each for each in _pack(self._face_set, number) if each.embedding_id == self._embedding_id]


def compact(
    face_set: FaceSet,
    segments: SegmentStore,
    needed_from: int | None = None,
    may_go_on: Callable[[], bool] = lambda: True,
) -> int | None:
    """Update the segments to the face set's present version and prune the log; return that version.

    May be killed at any point, and may run in several processes at once. Each step records its version last, and a run
    stops at its next write after another run has taken over.

    Parameters
    ----------
    needed_from
        The version after which vector indexes still need the log; None when none does.
    may_go_on
        Called before each range that has not changed and is packed only because its bytes are lost, or in the other
        place than the settings say. False leaves the others to the next run.

    Returns
    -------
    int or None
        None when another run is active or has taken over.
    """
    run = segments.claim()
    if run is None:
        return None
    astray = segments.sweep(run)  # first, as a killed run may have left removed faces' bytes
    present = face_set.version()
    done = run.version
    while done < present:
        step = min(done + CHANGES_PER_STEP, present)
        for number in face_set.touched(done, step, SEGMENT_IDS):
            if not segments.replace(run, number, _pack(face_set, number)):
                return None
            astray.discard(number)
        if not segments.state(run, step):
            return None
        done = step
    for number in sorted(astray):
        if not may_go_on():
            break
        if not segments.replace(run, number, _pack(face_set, number)):
            return None
    if done > run.version or astray:
        segments.sweep(run)
    segments.release(run)
    face_set.prune(min(done - CHANGES_KEPT, done if needed_from is None else needed_from))
    return done


def _pack(face_set: FaceSet, number: int) -> list[Segment]:
    rows = face_set.vectors(number * SEGMENT_IDS, (number + 1) * SEGMENT_IDS)
    packed = []
    for embedding_id in sorted({row.embedding_id for row in rows}):
        chosen = [row for row in rows if row.embedding_id == embedding_id]
        ids = np.array([row.id for row in chosen], np.int64)
        sets = np.array([row.set_id for row in chosen], np.int32)
        packed += [_segment(embedding_id, c) for c in encode(ids, np.stack([row.embedding for row in chosen]), sets)]
    return packed


def _segment(embedding_id: str, coded: Coded) -> Segment:
    sets = coded.sets.astype("<i4").tobytes() if (coded.sets != DEFAULT_SET_ID).any() else b""
    ids = coded.ids.astype("<i8").tobytes()
    return Segment(embedding_id, coded.exponent, coded.residual, ids, coded.codes.tobytes(), sets)
