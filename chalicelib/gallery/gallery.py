"""What a search asks, whatever it looks through."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from chalicelib.faces import Embedding, SearchResult, Terms

if TYPE_CHECKING:  # cold starts count
    from chalicelib.stores.face_set.vector_indexes import Recall


class Contents(NamedTuple):
    """How many faces are at hand, and the version of the face set that they show; None before they are loaded.

    `faces` is None where that is not known. Where a search is not exact in what it finds, `recall` says how much of it
    it does find, once that is measured.
    """

    faces: int | None
    version: int | None
    exact: bool = True
    recall: Recall | None = None


class Gallery(Protocol):
    """The known faces, ready to be searched."""

    def search(self, embedding: Embedding, terms: Terms) -> SearchResult:
        """Return a set's faces within the threshold, nearest first, equally near ones in the order they were added.

        The distances are those of the rows' vectors in float64. Sees every change that was answered before. Finds all
        faces that there are, unless its `contents` are not exact. Searching by person reads the row of every face
        within the threshold, however small the limit is.

        Parameters
        ----------
        embedding : the probe, calibrated, under the gallery's embedding id.
        terms : when there are more results than its limit, or can be, the result says `truncated`.

        Raises
        ------
        ServiceError
            1003 when the face set cannot be read.
        """
        ...

    def contents(self) -> Contents:
        """Return what is at hand in this process, as the last search left it; asks nobody."""
        ...
