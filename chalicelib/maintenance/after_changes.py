"""Runs scheduled work only when the face set has changed, if its database pauses."""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.stores.aws.change_marks import ChangeMarks

UNCHANGED = "nothing has changed since the last run, and the database was left alone"


def after_changes(marks: ChangeMarks | None, work: Callable[[], tuple[str, bool]]) -> str:
    """Run `work` and return its text, or return UNCHANGED. Without marks, always run it.

    Parameters
    ----------
    work
        Also returns whether it is complete. Otherwise, or when it fails, the next run repeats it.
    """
    if marks is None:
        return work()[0]
    found = marks.found()
    if not found:
        return UNCHANGED
    seen = marks.at_rest(found)  # before the work: what is announced meanwhile may escape it
    done, complete = work()
    if complete and seen:
        marks.delete(seen)
    return done
