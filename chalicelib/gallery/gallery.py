"""The interface that all galleries share."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from chalicelib.faces import Embedding, SearchResult, Terms

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

    def search(self, embedding: Embedding, terms: Terms) -> SearchResult:
        """Return a set's faces within the threshold, nearest first; equally near faces in the order they were added.

        Distances are computed from the rows' vectors in float64. Includes every change that was answered before.
        Finds all faces unless `contents` is not exact. A search by person reads the row of every face within the
        threshold, however small the limit is.

        Parameters
        ----------
        embedding : the probe, calibrated, under the gallery's embedding id.
        terms : `truncated` is set when there are more results than its limit, or may be.

        Raises
        ------
        ServiceError
            1003 when the face set cannot be read.
        """
        ...

    def identify(self, embeddings: NDArray[np.float32], terms: Terms) -> list[SearchResult]:
        """Return the nearest people of each of several embeddings, in one pass over the faces.

        Each result has the people of a search by person, in the same order, without their numbers of faces: it reads
        no more rows than it takes to know the nearest `limit` people.

        Parameters
        ----------
        embeddings : m x d, float32, calibrated, under the gallery's embedding id.
        terms : `limit` holds for each embedding; `without` and `by_person` are ignored.

        Raises
        ------
        ServiceError
            1003 when the face set cannot be read.
        """
        ...

    def contents(self) -> Contents:
        """Return this process's contents, as of its last search. Sends no request."""
        ...
