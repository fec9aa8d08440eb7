"""Takes in one picture: adds or identifies its faces and writes a result, once however often it is asked to.

A picture is known by its path and its content. Asked again for the same picture, the intake finds its result and does
nothing. It may be stopped after any step, and continues with the next attempt:

1. The largest face is detected and stored under a token, as `/detect` does.
2. The token is recorded for the picture, unless another attempt has recorded one, which then counts.
3. The face is added under the recorded token. A face set has a token at most once.
4. The result is written.

A removal deletes the stored face before the row (`service/removal.py`). So a recorded token without a row and without a
stored face was removed, and the face is not added again.
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

from chalicelib import errors
from chalicelib.api import fields, replies
from chalicelib.api.reply_bytes import as_text
from chalicelib.errors import ServiceError
from chalicelib.images import decoding
from chalicelib.images.decoding import Limits
from chalicelib.incoming import paths
from chalicelib.incoming.inbox import Inbox, TooLargeError
from chalicelib.incoming.paths import Addition, Identification
from chalicelib.service.active_pack import ActivePack
from chalicelib.service.face_service import FaceService
from chalicelib.stores.aws.chosen_tokens import ChosenTokens
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.telemetry import audit

LIMITS = Limits(20_000_000, 8192)
OK = 200

_EXPIRED = "1006"


class Outcome(NamedTuple):
    """What was done for a picture, and the status and error code that a request would have been answered with."""

    action: str
    status: int
    error_code: str | None


class Intake:
    """The use case. Thread-safe if the inbox is."""

    def __init__(self, inbox: Inbox, pack: ActivePack, face_set: FaceSet, chosen: ChosenTokens) -> None:
        self._inbox = inbox
        self._pack = pack
        self._face_set = face_set
        self._chosen = chosen

    def take(self, path: str) -> Outcome | None:
        """Take in a picture. Return None for a path that is no picture's, a picture that is gone, or was taken before.

        A picture that the API would refuse gets a failure as its result, in the API's form.

        Raises
        ------
        ServiceError
            1003, when a store failed or time ran out: take the picture again later.
        """
        if not paths.is_picture(path):
            return None
        action, fingerprint = "unknown", ""
        try:
            asked = paths.asked(path)
            action = "add" if isinstance(asked, Addition) else "identify"
            picture = self._read(path)
            if picture is None:
                return None
            fingerprint = hashlib.sha256(picture).hexdigest()
            if self._inbox.answered(path, fingerprint):
                return None
            body = self._answer(asked, path, fingerprint, picture)
        except ServiceError as error:
            if not error.refused:
                raise
            self._write(path, fingerprint, replies.failure(error).body)
            return Outcome(action, error.status, error.code)
        self._write(path, fingerprint, body)
        return Outcome(action, OK, None)

    def _read(self, path: str) -> bytes | None:
        try:
            return self._inbox.read(path, LIMITS.bytes)
        except TooLargeError:
            raise decoding.too_many_bytes(limits=LIMITS) from None

    def _write(self, path: str, fingerprint: str, body: Any) -> None:
        self._inbox.write(path, fingerprint, as_text(body).encode())

    def _answer(self, asked: Addition | Identification, path: str, fingerprint: str, picture: bytes) -> dict[str, Any]:
        audit.in_face_set(asked.face_set)
        if isinstance(asked, Addition):
            work = _key(path, fingerprint)
            token = self._pack.answer(lambda service: self._add(service, asked, work, picture))
            return replies.added(token, asked.person, None)
        limit = fields.LIMIT.default
        return replies.identified(
            self._pack.answer(lambda service: service.identify(picture, None, limit, asked.face_set, LIMITS))
        )

    def _add(self, service: FaceService, asked: Addition, work: str, picture: bytes) -> str:
        """Add the largest face of a picture; return its token."""
        token = self._chosen.of(work)
        if token is None:
            # A token is recorded only if the database answers: a recorded face that is not added soon expires.
            service.check(asked.face_set)
            token = self._chosen.choose(work, service.detect_largest(picture, LIMITS).token)
        audit.touched([token])
        if self._face_set.set_of(token) is not None:  # perhaps renamed since
            return token
        try:
            service.add(token, asked.person, face_set=asked.face_set)
        except ServiceError as error:
            if error.code == _EXPIRED:
                raise errors.removed_since() from None
            raise
        return token


def _key(path: str, fingerprint: str) -> str:
    """Return the key under which the token of a picture is recorded. It does not reveal the path."""
    digest = hashlib.sha256(f"{path}\n{fingerprint}".encode("utf-8", "surrogateescape")).hexdigest()
    return f"incoming/{digest}"
