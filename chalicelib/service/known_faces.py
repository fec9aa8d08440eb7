"""Lists, looks up, renames and shows known faces."""

from __future__ import annotations

from typing import NamedTuple

from chalicelib import errors
from chalicelib.service import cursors
from chalicelib.stores.aws.crops import CropStore
from chalicelib.stores.face_set.face_listing import FaceListing, ListedFace
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.stores.face_set.face_set_names import FaceSetNames


class Page(NamedTuple):
    """A page of faces, and the cursor of the next page; None on the last page."""

    faces: list[ListedFace]
    next_cursor: str | None


def cursor_after(face: ListedFace) -> str:
    """Return the cursor of a page that starts after a face; in lists by person it also names the person."""
    return cursors.encode(face.person_id, face.id) if face.person_id else cursors.encode(face.id)


class KnownFaces:
    """Use cases that load no model.

    Every method raises `ServiceError`: 1006 for a token that is in no face set, 1001 (404) for a face set that does
    not exist, 1003 when a store fails.

    Parameters
    ----------
    deployed
        Whether clients read crops from S3 themselves; a local server sends the crops.
    """

    def __init__(
        self, listing: FaceListing, names: FaceSetNames, face_set: FaceSet, crops: CropStore, *, deployed: bool
    ) -> None:
        self._listing = listing
        self._names = names
        self._face_set = face_set
        self._crops = crops
        self._deployed = deployed

    def page(self, face_set: str, after: int, limit: int, beginning: str = "") -> Page:
        """Return a set's faces after a row id, oldest first, as `FaceListing.page` does.

        Row ids are never reused, so a face added or removed between two pages moves no other face.
        """
        faces = self._listing.page(self._names.id_of(face_set), after, limit + 1, beginning)
        more = len(faces) > limit
        return Page(faces[:limit], cursor_after(faces[limit - 1]) if more else None)

    def get(self, token: str) -> ListedFace:
        face = self._listing.get(token)
        if face is None:
            raise errors.unknown_token()
        return face

    def rename(self, token: str, name: str) -> ListedFace:
        if not self._face_set.rename(token, name):
            raise errors.unknown_token()
        return self.get(token)

    def crop_url(self, face: ListedFace) -> str:
        """Return the crop's address: a presigned S3 URL where deployed, else a path of the API."""
        return self._crops.presigned(face.crop) if self._deployed else f"/faces/{face.token}/crop"

    def crop(self, token: str) -> bytes | str:
        """Return a face's crop: a presigned S3 URL where deployed, else the JPEG file."""
        face = self.get(token)
        if self._deployed:
            return self._crops.presigned(face.crop)
        crop = self._crops.read(face.crop)
        if crop is None:  # removed a moment ago
            raise errors.unknown_token()
        return crop.jpeg
