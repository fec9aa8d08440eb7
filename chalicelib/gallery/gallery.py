"""What a search asks, whatever it looks through."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from chalicelib.faces import Embedding, SearchResult


class Contents(NamedTuple):
    """How many faces are at hand, and the version of the face set that they show; None before they are loaded."""

    faces: int
    version: int | None


class Gallery(Protocol):
    """The known faces, ready to be searched."""

    def search(self, embedding: Embedding, threshold: float, limit: int, *, without: str | None = None) -> SearchResult:
        """Return the faces within `threshold`, nearest first, equally near ones in the order they were added.

        Exact: the distances are those of the rows' vectors in float64. Sees every change that was answered before.

        Parameters
        ----------
        embedding : the probe, calibrated, under the gallery's embedding id.
        threshold : the largest Euclidean distance.
        limit : the most results; when there are more, the result says `truncated`.
        without : the token of a face to leave out.

        Raises
        ------
        ServiceError
            1003 when the face set cannot be read.
        """
        ...

    def contents(self) -> Contents:
        """Return what is at hand in this process, as the last search left it; asks nobody."""
        ...
