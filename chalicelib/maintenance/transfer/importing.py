"""Imports an archive's faces while the face set is searched and changed.

Safe to kill at any point and run again: a face is skipped when its token already exists.
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
    """The result of one run. `there` counts faces that already existed; the next run continues at `next_part`."""

    added: int = 0
    there: int = 0
    next_part: int = 1
    done: bool = False


class Import:
    """Imports an archive in one run.

    Parameters
    ----------
    first_part
        The number of the first part to add, from 1. Above 1, an earlier run has checked all parts and added the parts
        before this one.
    checked
        Skip the check of all parts before the first one is added, for an archive too large to check in one run.
    may_go_on
        Called before every part is added. False ends the run.
    progress
        Called before every part, and at the end, with the number of faces done and the archive's total. Counts the
        faces checked first, then the faces added.
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
        """Check the whole archive, then add the faces that do not exist yet, part by part.

        Raises
        ------
        ServiceError
            When a store fails; parts already added stay.
        ArchiveError
            When the archive is missing, incomplete, damaged, or of another model than the face set. If the check finds
            the fault, nothing has changed.
        """
        manifest = manifests.read(self._source)
        if manifest is None:
            raise ArchiveError(f"there is no {manifests.MANIFEST}: this is not an archive, or its export is unfinished")
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
        """Check that the face set uses the archive's model or, being empty, can adopt it."""
        pack = self._packs.with_id(manifest.embedding_id)
        if pack is None:
            raise ArchiveError(
                f"no pack beside MODEL_DIR has the archive's model {manifest.embedding_id}: build the pack with "
                "`make models`"
            )
        if pack.embedder.dimension != manifest.dimension:
            raise ArchiveError(f"{manifests.MANIFEST} is not valid: the model has {pack.embedder.dimension} dimensions")
        active = self._face_set.state().embedding_id
        if active != manifest.embedding_id and self._face_set.count():
            raise _other_model(manifest.embedding_id, active)

    def _adopt_model(self, manifest: Manifest) -> None:
        """Switch an empty face set to the archive's model."""
        active = self._face_set.state().embedding_id
        if active != manifest.embedding_id:
            active = self._model_change.adopt(manifest.embedding_id)
        if active != manifest.embedding_id:
            raise _other_model(manifest.embedding_id, active)

    def _check_parts(self, manifest: Manifest) -> None:
        """Read all parts, to find a fault in any part before the first face is added."""
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
            raise ArchiveError(f"{part.file} has {len(faces)} faces, but the manifest says {part.faces}")
        if len({face.token for face in faces}) != len(faces):
            raise ArchiveError(f"{part.file} has a face_token twice")
        return faces

    def _add(self, faces: Sequence[ArchivedFace], manifest: Manifest) -> None:
        there = self._whole_faces.present([face.token for face in faces])
        new = [face for face in faces if face.token not in there]
        sets = {name: self._set_id(name) for name in {face.face_set for face in new}}
        self._face_set.announce()  # before crops exist that a crash would leave without a face
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
        if added < len(new):  # another process added some meanwhile, with its own crops
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
        f"the archive's model is {archive}, but the face set's is {active}: first move the face set to the archive's "
        "model with `make re-embed`, or import into an empty face set"
    )
