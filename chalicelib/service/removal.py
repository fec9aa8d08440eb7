"""Erases known faces everywhere: rows, vectors under every model, crops and tokens."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from chalicelib import deadline, errors, happenings
from chalicelib.faces import DEFAULT_SET
from chalicelib.happenings import Happening, Kind
from chalicelib.stores.aws.crops import CropStore, temporary_name
from chalicelib.stores.aws.sdk import MAX_CONNECTIONS
from chalicelib.stores.aws.tokens import TokenStore
from chalicelib.stores.face_set.face_listing import FaceListing
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.stores.face_set.face_set_names import FaceSetNames
from chalicelib.stores.face_set.folded_name import fold
from chalicelib.stores.face_set.people import People
from chalicelib.telemetry import audit

# Faces removed in one transaction; all other writers wait until it ends.
FACES_PER_BATCH = 100
# The time that one request spends removing faces: about half of API Gateway's limit for an answer.
MAX_SECONDS = 15.0


class Removed(NamedTuple):
    """The number of faces removed from a set or of a person, and whether the set or the person is gone."""

    faces: int
    done: bool


class Removal:
    """Use cases that load no model. Every method raises `ServiceError` 1003 when a store fails.

    A face's detection crop and token go before its row, so after a failure half-way the face can still be removed.

    Parameters
    ----------
    clock
        Returns seconds from any starting point.
    """

    def __init__(
        self,
        listing: FaceListing,
        names: FaceSetNames,
        face_set: FaceSet,
        tokens: TokenStore,
        crops: CropStore,
        people: People,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._listing = listing
        self._names = names
        self._face_set = face_set
        self._tokens = tokens
        self._crops = crops
        self._people = people
        self._clock = clock

    def remove(self, token: str) -> None:
        """Remove one face from its face set; raise 1006 when it is in none."""
        face_set = self._listing.sets_of([token]).get(token)
        if face_set is None:
            raise errors.unknown_token()
        self._forget(token)
        crop = self._face_set.remove(token)
        if crop is None:
            raise errors.unknown_token()
        happenings.note(Happening(Kind.REMOVED, face_set, [token]))
        self._crops.delete_orphan(crop)

    def remove_set(self, name: str) -> Removed:
        """Remove a face set and all its faces, or as many faces as MAX_SECONDS allow; the next call continues.

        The set is deleted last, once it is empty. A face added meanwhile is removed too, or its addition is refused.

        Raises
        ------
        ServiceError
            1001 for the default face set; 1001 (404) for a face set that does not exist.
        """
        if name == DEFAULT_SET:
            raise errors.bad_argument("the face set default cannot be deleted")
        set_id = self._names.id_of(name)
        end = self._clock() + MAX_SECONDS
        removed = 0
        with ThreadPoolExecutor(MAX_CONNECTIONS) as executor:
            while True:
                tokens = [face.token for face in self._listing.page(set_id, 0, FACES_PER_BATCH)]
                if tokens:
                    removed += self._remove_many(executor, name, tokens)
                elif self._names.delete_if_empty(set_id):
                    return Removed(removed, done=True)
                if self._clock() > end:
                    return Removed(removed, done=False)

    def remove_person(self, face_set: str, name: str) -> tuple[str, Removed]:
        """Remove all faces of a person, or as many as MAX_SECONDS allow; the next call continues.

        Returns
        -------
        str, Removed
            The person's name as it was last spelt, and what was removed.

        Raises
        ------
        ServiceError
            1006 when no face of the face set has the name; 1001 (404) for a face set that does not exist.
        """
        set_id = self._names.id_of(face_set)
        person = self._people.find(set_id, name)
        if person is None:
            raise errors.unknown_person()
        end = self._clock() + MAX_SECONDS
        removed = 0
        with ThreadPoolExecutor(MAX_CONNECTIONS) as executor:
            while True:
                tokens = [face.token for face in self._listing.page_of_people([person.id], 0, FACES_PER_BATCH)]
                removed += self._remove_many(executor, face_set, tokens, fold(name))
                if len(tokens) < FACES_PER_BATCH:
                    return person.name, Removed(removed, done=True)
                if self._clock() > end:
                    return person.name, Removed(removed, done=self._people.find(set_id, name) is None)

    def _remove_many(
        self, executor: ThreadPoolExecutor, face_set: str, tokens: Sequence[str], folded: bytes | None = None
    ) -> int:
        """Remove some faces of a face set, as `FaceSet.remove_many` does; return their number."""
        if not tokens:
            return 0
        audit.touched(tokens)
        # Reading the results raises the first failure.
        list(executor.map(deadline.carried(self._forget), tokens))
        crops = self._face_set.remove_many(tokens, folded)
        # Some faces may have got another name meanwhile.
        kept = {} if len(crops) == len(tokens) else self._listing.sets_of(tokens)
        happenings.note(Happening(Kind.REMOVED, face_set, [token for token in tokens if token not in kept]))
        list(executor.map(deadline.carried(self._crops.delete_orphan), crops))
        return len(crops)

    def _forget(self, token: str) -> None:
        """Erase the crop and the token stored at detection, whether or not the token has expired."""
        # Earlier versions did not derive a crop's name from the token: DynamoDB has the name until the token expires.
        name = temporary_name(token)
        for crop in {name, self._tokens.crop_of(token) or name}:
            self._crops.delete_temporary(crop)
        self._tokens.delete(token)
