"""Takes an archive's faces into the face set, while it is searched and changed.

May be killed at any point and run again: a face whose token is there already is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chalicelib.faces import DEFAULT_SET, KnownFace
from chalicelib.maintenance.transfer import manifest as manifests
from chalicelib.maintenance.transfer.archived_face import ArchivedFace
from chalicelib.maintenance.transfer.container import Source
from chalicelib.maintenance.transfer.errors import ArchiveError
from chalicelib.maintenance.transfer.manifest import Manifest, Part
from chalicelib.maintenance.transfer.part import unpack
from chalicelib.stores.aws.crops import CropStore
from chalicelib.stores.face_set.active_model import ModelChangedError
from chalicelib.stores.face_set.exported_faces import ExportedFaces
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.stores.face_set.face_set_names import MAX_FACE_SETS, FaceSetNames
from chalicelib.stores.face_set.model_change import ModelChange
from chalicelib.vision.pack_folder import PackFolder


@dataclass
class Report:
    """What one run has done: faces that are new, and that were there already. `next_part` is where to go on from."""

    added: int = 0
    there: int = 0
    next_part: int = 1
    done: bool = False


class Import:
    """One run of it.

    Parameters
    ----------
    first_part
        The number of the first part to add, from 1; those before it were done by an earlier run, which has checked all.
    checked
        Leave out the check of all parts before the first one is added: for an archive that is too large for one run.
    may_go_on
        Asked before every part; when it answers no, the run ends.
    progress
        Told, after every part, how many faces are done and how many the archive has: first checked, then added.
    """

    def __init__(
        self,
        face_set: FaceSet,
        names: FaceSetNames,
        whole_faces: ExportedFaces,
        model_change: ModelChange,
        packs: PackFolder,
        crops: CropStore,
        source: Source,
        *,
        first_part: int = 1,
        checked: bool = False,
        may_go_on: Callable[[], bool] = lambda: True,
        progress: Callable[[int, int], None] = lambda *_: None,
    ) -> None:
        self._face_set = face_set
        self._names = names
        self._whole_faces = whole_faces
        self._model_change = model_change
        self._packs = packs
        self._crops = crops
        self._source = source
        self._checked = checked or first_part > 1
        self._may_go_on = may_go_on
        self._progress = progress
        self._report = Report(next_part=first_part)

    def run(self) -> Report:
        """Check the whole archive, then add who is not there yet, part by part.

        Raises
        ------
        ServiceError
            When a store fails; what was done until then stays done.
        ArchiveError
            When the archive is missing, not whole, damaged, or of another model than the face set; nothing has changed.
        """
        manifest = manifests.read(self._source)
        if manifest is None:
            raise ArchiveError(f"there is no {manifests.MANIFEST}: this is no archive, or its export has not ended")
        report = self._report
        if manifest.parts:
            self._check_model(manifest)
            if not self._checked:
                self._check_parts(manifest)
            self._adopt_model(manifest)
        done = sum(part.faces for part in manifest.parts[: report.next_part - 1])
        for part in manifest.parts[report.next_part - 1 :]:
            self._progress(done, manifest.faces)
            if not self._may_go_on():
                return report
            self._add(self._read(part, manifest.dimension), manifest)
            done += part.faces
            report.next_part += 1
        self._progress(done, manifest.faces)
        report.done = True
        return report

    def _check_model(self, manifest: Manifest) -> None:
        """See that the face set is under the archive's model, or can be put under it."""
        pack = self._packs.with_id(manifest.embedding_id)
        if pack is None:
            raise ArchiveError(
                f"the archive's embeddings are of the model {manifest.embedding_id}, which no pack beside MODEL_DIR "
                "has: `make models` builds packs"
            )
        if pack.embedder.dimension != manifest.dimension:
            raise ArchiveError(f"{manifests.MANIFEST} is not valid: the model has {pack.embedder.dimension} dimensions")
        active = self._face_set.state().embedding_id
        if active != manifest.embedding_id and self._face_set.count():
            raise _other_model(manifest.embedding_id, active)

    def _adopt_model(self, manifest: Manifest) -> None:
        """Put a face set in which nobody is under the archive's model."""
        active = self._face_set.state().embedding_id
        if active != manifest.embedding_id:
            active = self._model_change.adopt(manifest.embedding_id)
        if active != manifest.embedding_id:
            raise _other_model(manifest.embedding_id, active)

    def _check_parts(self, manifest: Manifest) -> None:
        """Read all parts, so that a fault in the last one is found before anything of the first one is added."""
        sets = {DEFAULT_SET}
        done = 0
        for part in manifest.parts:
            self._progress(done, manifest.faces)
            sets.update(face.face_set for face in self._read(part, manifest.dimension))
            if len(sets) > MAX_FACE_SETS:
                raise ArchiveError(f"the archive has more than {MAX_FACE_SETS} face sets")
            done += part.faces

    def _read(self, part: Part, dimension: int) -> list[ArchivedFace]:
        faces = unpack(part.file, manifests.read_part(self._source, part), dimension)
        if len(faces) != part.faces:
            raise ArchiveError(f"{part.file} has {len(faces)} faces, and the manifest says {part.faces}")
        if len({face.token for face in faces}) != len(faces):
            raise ArchiveError(f"{part.file} has a face_token twice")
        return faces

    def _add(self, faces: Sequence[ArchivedFace], manifest: Manifest) -> None:
        there = self._whole_faces.present([face.token for face in faces])
        new = [face for face in faces if face.token not in there]
        sets = {name: self._set_id(name) for name in {face.face_set for face in new}}
        crops = self._crops.save([face.crop for face in new])
        known = [
            KnownFace(face.token, face.name, face.embedding, manifest.embedding_id, crop, sets[face.face_set])
            for face, crop in zip(new, crops, strict=True)
        ]
        try:
            added = self._face_set.add_many(known, [face.added_at for face in new])
        except ModelChangedError as changed:
            for crop in crops:
                self._crops.delete_orphan(crop)
            raise _other_model(manifest.embedding_id, changed.embedding_id) from None
        self._report.added += added
        self._report.there += len(faces) - added
        if added < len(new):  # somebody else added them meanwhile, so their crops are the rows'
            self._delete_unused(known)

    def _set_id(self, face_set: str) -> int:
        if face_set != DEFAULT_SET:
            self._names.create(face_set)
        return self._names.id_of(face_set)

    def _delete_unused(self, known: Sequence[KnownFace]) -> None:
        for face in known:
            stored = self._face_set.get(face.token, face.embedding_id)
            if stored is None or stored.crop != face.crop:
                self._crops.delete_orphan(face.crop)


def _other_model(archive: str, active: str) -> ArchiveError:
    return ArchiveError(
        f"the archive's embeddings are of the model {archive}, and the face set is under {active}: "
        "bring the face set under the archive's model first, with `make re-embed`, or import into an empty one"
    )
