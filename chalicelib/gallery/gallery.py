"""The interface that all galleries share."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from chalicelib.faces import DEFAULT_SET_ID, Embedding, SearchResult

if TYPE_CHECKING:  # keeps the cold start short
    from chalicelib.stores.face_set.vector_indexes import Recall


class Contents(NamedTuple):
    """The number of loaded faces and the version of the face set that they reflect; None before they are loaded.

    `faces` is None when the number is unknown. `exact` is False when searches may miss faces; `recall` is then the
    measured share of faces that they find, or None before a measurement.
    """

    faces: int | None
    version: int | None
    exact: bool = True
    recall: Recall | None = None


class Gallery(Protocol):
    """Searches the known faces."""

    def search(
        self,
        embedding: Embedding,
        threshold: float,
        limit: int,
        *,
        without: str | None = None,
        set_id: int = DEFAULT_SET_ID,
    ) -> SearchResult:
        """Return a set's faces within `threshold`, nearest first; equally near faces in the order they were added.

        Distances are computed from the rows' vectors in float64. Includes every change that was answered before.
        Finds all faces unless `contents` is not exact.

        Parameters
        ----------
        embedding : the probe, calibrated, under the gallery's embedding id.
        threshold : the largest Euclidean distance.
        limit : the maximum number of results; `truncated` is set when there are more, or may be.
        without : the token of a face to leave out.
        set_id : the number of the face set.

        Raises
        ------
        ServiceError
            1003 when the face set cannot be read.
        """
        ...

    def contents(self) -> Contents:
        """Return this process's contents, as of its last search. Sends no request."""
        ...

    def search_people(
        self,
        embedding: Embedding,
        threshold: float,
        limit: int,
        *,
        without: str | None = None,
        set_id: int = DEFAULT_SET_ID,
    ) -> SearchResult:
        """Return the people within `threshold`, as `search` returns faces; each person as their nearest face.

        Reads the row of every face within the threshold, however small the limit is.
        """
        ...
