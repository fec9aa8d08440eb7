"""Adds the largest face of each picture in a folder to a face set, several pictures at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from threading import Lock
from typing import Any

from .api import Api, RefusedError
from .folder import NamedPicture
from .journal import ADDED, DETECTED, Entry, Journal

# The outcome of a picture.
NEW, ALREADY, OTHER_NAME, REMOVED, NO_FACE, REFUSED, UNREADABLE = (
    "added",
    "already there",
    "already there under another name",
    "removed since",
    "no face",
    "refused",
    "unreadable",
)
SUCCESSES = (NEW, ALREADY)

_ADD_AGAIN = "import with --again to add it again"
_UNKNOWN_TOKEN = "1006"  # noqa: S105  # an error code


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one picture.

    `faces` is the number of faces that this run detected, or None when it ran no detection. `detail` explains `what`.
    """

    picture: NamedPicture
    what: str
    face_token: str = ""
    faces: int | None = None
    detail: str = ""


class FolderImport:
    """One run of an import.

    Parameters
    ----------
    refuse_poor
        Leave out faces that are hard to recognise.
    again
        Add faces again that were imported before and have been removed since.
    jobs
        How many pictures are processed at once.
    """

    def __init__(
        self,
        api: Api,
        journal: Journal,
        *,
        face_set: str | None = None,
        refuse_poor: bool = False,
        again: bool = False,
        jobs: int = 1,
    ) -> None:
        self._api = api
        self._journal = journal
        self._arguments = {"face_set": face_set, "quality_filter": "auto" if refuse_poor else None}
        self._again = again
        self._jobs = jobs
        # One lock for each content, by sha256: two files with the same content must not both be added.
        self._under_way: dict[str, Lock] = {}
        self._lock = Lock()

    def run(self, pictures: Sequence[NamedPicture]) -> Generator[Outcome, None, None]:
        """Yield the outcome of each picture as it finishes.

        When the generator is closed early, pictures in progress are finished and recorded, and no others are started.

        Raises
        ------
        UnavailableError
            When the service keeps failing after all retries. The next run continues.
        """
        waiting = iter(pictures)
        with ThreadPoolExecutor(self._jobs) as pool:
            running: set[Future[Outcome]] = {pool.submit(self._one, one) for one in islice(waiting, 2 * self._jobs)}
            try:
                while running:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        yield future.result()
                        running |= {pool.submit(self._one, one) for one in islice(waiting, 1)}
            finally:
                pool.shutdown(cancel_futures=True)

    def _one(self, picture: NamedPicture) -> Outcome:
        if picture.fault:
            return Outcome(picture, REFUSED, detail=picture.fault)
        try:
            file = picture.path.read_bytes()
        except OSError as error:
            return Outcome(picture, UNREADABLE, detail=error.strerror or "")
        sha256 = hashlib.sha256(file).hexdigest()
        with self._lock:
            lock = self._under_way.setdefault(sha256, Lock())
        with lock:
            return self._import(picture, file, sha256)

    def _import(self, picture: NamedPicture, file: bytes, sha256: str) -> Outcome:
        before = self._journal.get(sha256)
        try:
            if before is not None:
                known = self._known(picture, before)
                if known is not None:
                    return known
            faces = self._api.call("POST", "/detect", pictures={"image_file": file}).body["faces"]
            if not faces:
                return Outcome(picture, NO_FACE, faces=0, detail="the picture shows no face")
            token = faces[0]["face_token"]
            self._journal.note(Entry(sha256, DETECTED, token, picture.name))
            return self._add(picture, sha256, token, len(faces))
        except RefusedError as error:
            return Outcome(picture, REFUSED, detail=str(error))

    def _known(self, picture: NamedPicture, before: Entry) -> Outcome | None:
        """Return the outcome of a picture in the journal, or None when its face must be detected again."""
        if before.step == DETECTED:
            try:
                return self._add(picture, before.sha256, before.face_token, None)
            except RefusedError as error:
                if error.code != _UNKNOWN_TOKEN:  # 1006: the token has expired
                    raise
            return None
        name = self._present_name(before.face_token)
        if name is None:
            return None if self._again else Outcome(picture, REMOVED, before.face_token, detail=_ADD_AGAIN)
        if name == picture.name:
            return Outcome(picture, ALREADY, before.face_token)
        return Outcome(picture, OTHER_NAME, before.face_token, detail=f"as {name}")

    def _present_name(self, token: str) -> str | None:
        """Return the name of a known face, or None when it is no longer in any face set."""
        try:
            return str(self._api.call("GET", f"/faces/{token}").body["face_name"])
        except RefusedError as error:
            if error.code != _UNKNOWN_TOKEN:
                raise
            return None

    def _add(self, picture: NamedPicture, sha256: str, token: str, faces: int | None) -> Outcome:
        arguments = {"face_token": token, "face_name": picture.name, "check": "true", **self._arguments}
        added = self._api.call("POST", "/addface", arguments).body
        self._journal.note(Entry(sha256, ADDED, token, picture.name))
        return Outcome(picture, NEW, token, faces, similar(added))


def similar(added: Mapping[str, Any]) -> str:
    """Return a sentence about the people who look like an added face and have other names; empty without any."""
    names = [match["face_name"] for match in added.get("similar", [])]
    return f"looks like {', '.join(names)}" if names else ""
