"""Exports the face set to an archive while it is searched and changed.

Safe to kill at any point. An account file beside the parts records them; at the end the manifest holds the account.
Every run compares all parts with the face set, including parts of earlier runs.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace

from chalicelib.maintenance.transfer.archived_face import ArchivedFace, check
from chalicelib.maintenance.transfer.container import Container
from chalicelib.maintenance.transfer.errors import ArchiveError
from chalicelib.maintenance.transfer.manifest import MANIFEST, MAX_MANIFEST_BYTES, Manifest, Part, part_file
from chalicelib.maintenance.transfer.part import MAX_FACES, pack
from chalicelib.stores.aws.crops import Crop, CropStore
from chalicelib.stores.face_set.exported_faces import LARGEST_ID, ExportedFaces, Label, WholeFace
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.times import as_text

ACCOUNT = "unfinished.json"
MAX_ACCOUNT_BYTES = 64 * 1024 * 1024

# Used instead of a digest: the part's file does not match the account and must be written again.
_NOT_WRITTEN = ""


@dataclass
class Written:
    """A written part: the faces with `after` < id <= `upto`.

    `labels` is a digest of their ids, tokens and names. `left_out` lists the tokens of faces that cannot be exported:
    their crops are missing or broken, or they have no embedding.
    """

    part: Part
    after: int
    upto: int
    labels: str
    left_out: list[str]


@dataclass
class Account:
    """The progress of all runs of an export, and the model of its embeddings."""

    embedding_id: str
    switches: int
    dimension: int = 0
    written: list[Written] = field(default_factory=list)


@dataclass
class Report:
    """The state of the export. `left_out` lists tokens of faces with a missing or broken crop, or without a vector."""

    faces: int = 0
    left_out: list[str] = field(default_factory=list)
    done: bool = False


class Export:
    """Exports the face set in one run.

    Parameters
    ----------
    may_go_on
        Called before every part. False ends the run; the next run continues.
    progress
        Called before every part with the number of faces done and the total.
    clock
        Returns the seconds since 1970.
    """

    def __init__(
        self,
        face_set: FaceSet,
        whole_faces: ExportedFaces,
        crops: CropStore,
        container: Container,
        *,
        may_go_on: Callable[[], bool] = lambda: True,
        progress: Callable[[int, int], None] = lambda *_: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._face_set = face_set
        self._whole_faces = whole_faces
        self._crops = crops
        self._container = container
        self._may_go_on = may_go_on
        self._progress = progress
        self._clock = clock
        self._account = Account("", 0)

    def run(self) -> Report:
        """Write missing parts, and rewrite parts that no longer match the face set.

        The archive holds every face that existed when the last run began and was not removed since. It holds no face
        with a removal that was answered by then.

        Raises
        ------
        ServiceError
            When a store fails; parts already written stay.
        ArchiveError
            When the container's files are not from an export.
        """
        self._take_up()
        while True:
            if not self._write_parts():
                return self._report()
            version = self._face_set.version()
            if not self._look_again():
                return self._report()
            state = self._face_set.state()
            if (state.embedding_id, state.switches) == (self._account.embedding_id, self._account.switches):
                break
        self._finish(version)
        return self._report(done=True)

    def _write_parts(self) -> bool:
        """Write the faces after the last part; return False when time was up."""
        total, done = self._face_set.count(), sum(written.part.faces for written in self._account.written)
        while True:
            self._progress(done, max(done, total))
            if not self._may_go_on():
                return False
            after = self._account.written[-1].upto if self._account.written else 0
            faces = self._page(after, LARGEST_ID)
            if not faces:
                return True
            written = self._write(part_file(len(self._account.written) + 1), after, faces[-1].id, faces)
            self._account.written.append(written)
            self._keep_account()
            done += written.part.faces

    def _look_again(self) -> bool:
        """Rewrite parts in which a face was removed, added or renamed; return False when time was up."""
        at = 0
        while at < len(self._account.written):
            if not self._may_go_on():
                return False
            written = self._account.written[at]
            if _digest(self._whole_faces.labels(written.after, written.upto)) != written.labels:
                self._write_again(at)
            at += 1
        return True

    def _write_again(self, at: int) -> None:
        """Rewrite a part's file with its first MAX_FACES faces; the rest of its range becomes a new, unwritten part.

        A range can hold more faces than a part when ids became visible out of order.
        """
        written = self._account.written
        old = written[at]
        faces = self._page(old.after, old.upto)
        upto = faces[-1].id if len(faces) == MAX_FACES else old.upto
        pieces = [replace(old, upto=upto, labels=_NOT_WRITTEN)]
        if upto < old.upto:
            rest = Part(part_file(len(written) + 1), 0, 0, "")
            pieces.append(Written(rest, upto, old.upto, _NOT_WRITTEN, []))
        written[at : at + 1] = pieces
        self._keep_account()  # first, so that after a kill no file contradicts the account
        written[at] = self._write(old.part.file, old.after, upto, faces)
        self._keep_account()

    def _page(self, after: int, upto: int) -> list[WholeFace]:
        return self._whole_faces.page(self._account.embedding_id, after, upto, MAX_FACES)

    def _write(self, file: str, after: int, upto: int, faces: Sequence[WholeFace]) -> Written:
        crops = self._crops.read_many([face.crop for face in faces])
        complete = [_archived(face, crop) for face, crop in zip(faces, crops, strict=True)]
        archived = [face for face in complete if face is not None]
        if archived:
            self._account.dimension = len(archived[0].embedding)
        data = pack(archived)
        self._container.write(file, data)
        return Written(
            Part(file, len(archived), len(data), hashlib.sha256(data).hexdigest()),
            after,
            upto,
            _digest([Label(face.id, face.token, face.name) for face in faces]),
            [face.token for face, kept in zip(faces, complete, strict=True) if kept is None],
        )

    def _take_up(self) -> None:
        """Resume from the account of an earlier run, or start again if the model was switched since."""
        state = self._face_set.state()
        account = _read_account(self._container)
        if account is not None and (account.embedding_id, account.switches) != (state.embedding_id, state.switches):
            for file in (*(written.part.file for written in account.written), _file_without_account(account)):
                self._container.delete(file)
            account = None
        self._account = account or Account(state.embedding_id, state.switches)
        if account is not None:
            self._keep_account()
        # The archive is incomplete until this run has compared all parts.
        self._container.delete(MANIFEST)

    def _keep_account(self) -> None:
        self._container.write(ACCOUNT, json.dumps(asdict(self._account)).encode())

    def _finish(self, version: int) -> None:
        empty = [written.part.file for written in self._account.written if not written.part.faces]
        manifest = Manifest(
            self._account.embedding_id,
            self._account.dimension,
            as_text(int(self._clock())),
            version,
            tuple(written.part for written in self._account.written if written.part.faces),
            tuple(self._report().left_out),
        )
        for file in (*empty, _file_without_account(self._account)):
            self._container.delete(file)
        self._container.write(MANIFEST, manifest.to_json(account=asdict(self._account)))
        self._container.delete(ACCOUNT)

    def _report(self, *, done: bool = False) -> Report:
        written = self._account.written
        return Report(
            sum(one.part.faces for one in written), [token for one in written for token in one.left_out], done
        )


def _archived(face: WholeFace, crop: Crop | None) -> ArchivedFace | None:
    """Return the face for the archive, or None when an import would refuse it."""
    if crop is None or face.embedding is None:
        return None
    archived = ArchivedFace(face.token, face.name, face.face_set, face.added_at, face.embedding, crop)
    try:
        check(archived, len(face.embedding))
    except ValueError:
        return None
    return archived


def _digest(labels: Sequence[Label]) -> str:
    return hashlib.sha256(repr([tuple(label) for label in labels]).encode()).hexdigest()


def _file_without_account(account: Account) -> str:
    """Return the only file that a killed run may have written without recording it."""
    return part_file(len(account.written) + 1)


def _read_account(container: Container) -> Account | None:
    """Return the account of earlier runs: from its own file or, after a finished export, from the manifest."""
    data = container.read(ACCOUNT, MAX_ACCOUNT_BYTES)
    finished = container.read(MANIFEST, MAX_MANIFEST_BYTES) if data is None else None
    if data is None and finished is None:
        return None
    try:
        fields = json.loads(data) if data is not None else json.loads(finished or b"")["account"]
        written = [Written(**{**one, "part": Part(**one["part"])}) for one in fields.pop("written")]
        return Account(**fields, written=written)
    except (ValueError, KeyError, TypeError, AttributeError):
        file = ACCOUNT if finished is None else MANIFEST
        raise ArchiveError(f"{file} is not from an export that can be continued") from None
