"""Detects, searches, compares and adds faces under one model."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chalicelib import errors, happenings
from chalicelib.errors import ServiceError
from chalicelib.faces import (
    DEFAULT_SET,
    DetectedFace,
    Embedding,
    Found,
    Image,
    KnownFace,
    Match,
    Quality,
    SearchResult,
    TemporaryFace,
    Terms,
    new_token,
)
from chalicelib.gallery.gallery import Contents, Gallery
from chalicelib.happenings import Happening, Kind
from chalicelib.images import decoding
from chalicelib.images.decoding import Limits
from chalicelib.service.comparison import Comparison, Picture, compare
from chalicelib.service.detection import detect
from chalicelib.service.grouping import Grouping, grouped
from chalicelib.service.token_embeddings import TokenEmbeddings
from chalicelib.stores.aws.crops import Crop, CropStore, temporary_name
from chalicelib.stores.aws.tokens import TokenStore
from chalicelib.stores.face_set.active_model import ModelChangedError, check_model
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.stores.face_set.face_set_names import FaceSetNames
from chalicelib.stores.face_set.folded_name import fold, is_person
from chalicelib.telemetry import audit
from chalicelib.telemetry.metrics import Metric, measure, timed
from chalicelib.vision import quality
from chalicelib.vision.model import Model
from chalicelib.vision.model_pack import ModelPack, Threshold, distance_at
from chalicelib.vision.turned import upright

# False match rates: of the threshold within which `identify` lists people by default, and of the threshold within which
# an addition warns of people with other names.
IDENTIFY_RATE, SIMILAR_RATE = 1e-3, 1e-4
MAX_SIMILAR = 3
# People listed for all faces of a picture together, so that a picture of many faces needs no more memory or time.
MAX_IDENTIFIED = 20_000


class SavedFace(NamedTuple):
    """A detected face with its quality, its token and the name of its crop."""

    token: str
    crop: str
    detected: DetectedFace
    quality: Quality


class Searched(NamedTuple):
    """The token of the probe face, the search result, and the thresholds of the model that embedded the probe."""

    token: str
    result: SearchResult
    thresholds: tuple[Threshold, ...]


class Identified(NamedTuple):
    """The faces of a picture, each with the people that it may show, under one threshold."""

    faces: Found[tuple[SavedFace, SearchResult]]
    threshold: float
    thresholds: tuple[Threshold, ...]


class FaceService:
    """The use cases under one model, the networks of `pack`. Thread-safe.

    Every method raises `ServiceError`: 1004 for a picture that cannot be read, 1006 for an unknown token, 1007 for a
    search with a picture that shows no face or a face too poor to be added, 1003 when a store fails or the request runs
    out of time. Methods that need the face set's model raise `ModelChangedError` when the face set is under another
    model; nothing is then changed.
    """

    def __init__(
        self,
        pack: ModelPack,
        model: Model,
        tokens: TokenStore,
        crops: CropStore,
        face_set: FaceSet,
        names: FaceSetNames,
        gallery: Gallery,
    ) -> None:
        self.pack = pack
        self._model = model
        self._names = names
        self._embeddings = TokenEmbeddings(model, tokens, crops, face_set)
        self._tokens = tokens
        self._crops = crops
        self._face_set = face_set
        self._gallery = gallery

    def detect(self, file: bytes) -> Found[SavedFace]:
        """Find the faces of a picture, as `Detector.detect` does, and store each under a token of its own."""
        image, faces = detect(self._model.detector, file)
        return Found(self._keep(image, faces)[0], truncated=faces.truncated)

    def detect_largest(self, file: bytes, limits: Limits | None = None) -> SavedFace:
        """Find the largest face of a picture, and store it under a token; raise 1007 for a picture without a face."""
        image, faces = detect(self._model.detector, file, limits)
        if not faces:
            raise errors.no_face(self._model.smallest_face)
        [saved], _ = self._keep(image, faces[:1])
        return saved

    def identify(
        self,
        file: bytes,
        threshold: float | None,
        limit: int,
        face_set: str = DEFAULT_SET,
        limits: Limits | None = None,
    ) -> Identified:
        """Find the faces of a picture as `detect` does, and the nearest people of a face set for each.

        Parameters
        ----------
        threshold : the largest distance; None for the model's threshold at a false match rate of IDENTIFY_RATE.
        limit : the most people for each face. All faces together get at most MAX_IDENTIFIED.
        limits : of the picture; by default those of requests.
        """
        set_id = self._names.id_of(face_set)
        if threshold is None:
            threshold = distance_at(IDENTIFY_RATE, self._model.thresholds)
        image, faces = detect(self._model.detector, file, limits)
        saved, embeddings = self._keep(image, faces)
        results: list[SearchResult] = []
        if saved:
            limit = min(limit, MAX_IDENTIFIED // len(saved))
            with self._searching():
                results = self._gallery.identify(embeddings, Terms(threshold, limit, set_id))
        found = Found(zip(saved, results, strict=True), truncated=faces.truncated)
        nearest = {face.token: result.matches[0].token for face, result in found if result.matches}
        happenings.note(Happening(Kind.IDENTIFIED, face_set, [face.token for face in saved], nearest))
        return Identified(found, threshold, self._model.thresholds)

    def search_picture(self, file: bytes, terms: Terms, face_set: str = DEFAULT_SET) -> Searched:
        """Search a face set for the largest face of a picture, and store that face under a new token."""
        set_id = self._names.id_of(face_set)
        image, faces = detect(self._model.detector, file)
        if not faces:
            raise errors.no_face(self._model.smallest_face)
        [saved], [embedding] = self._keep(image, faces[:1])
        return self._search(saved.token, embedding, terms._replace(set_id=set_id))

    def search_token(self, token: str, terms: Terms, face_set: str = DEFAULT_SET) -> Searched:
        """Search a face set for the face of a token: a detected face, or a known face of any face set."""
        set_id = self._names.id_of(face_set)
        return self._search(token, self._embeddings.of(token), terms._replace(set_id=set_id, without=token))

    def compare(self, one: str | Picture, other: str | Picture) -> Comparison:
        """Compare two faces, as `comparison.compare` does; nothing is stored."""
        return compare(self._model, self._embeddings, one, other)

    def similar(self, token: str, name: str, face_set: str = DEFAULT_SET) -> list[Match]:
        """Return up to MAX_SIMILAR people of a face set who look like a token's face and have another name.

        They are within the model's threshold at a false match rate of SIMILAR_RATE, nearest first.
        """
        distance = distance_at(SIMILAR_RATE, self._model.thresholds)
        set_id, folded = self._names.id_of(face_set), fold(name)
        terms = Terms(distance, sys.maxsize, set_id, without=token, by_person=True)
        with self._searching():
            people = self._gallery.search(self._embeddings.of(token), terms).matches
        others = (match for match in people if fold(match.name) != folded and is_person(fold(match.name)))
        return list(islice(others, MAX_SIMILAR))

    def group(self, tokens: Sequence[str]) -> Grouping:
        """Group the faces of distinct tokens, detected or known, by person."""
        return grouped(tokens, self._embeddings.of_many(tokens), self._model.thresholds)

    def add(self, token: str, name: str, *, face_set: str = DEFAULT_SET, refuse_poor: bool = False) -> None:
        """Add a detected face to a face set under a name; rename the face if the set already has it.

        With `refuse_poor`, a new face is refused if `quality.reasons` finds it too poor.
        """
        set_id = self._names.id_of(face_set)
        present = self._face_set.set_of(token)
        if present not in (None, set_id):
            raise errors.in_another_face_set()
        if present is not None and self._face_set.rename(token, name):
            return
        face = self._embeddings.temporary(token)
        if refuse_poor and face.poor_because:
            raise errors.poor_face(face.poor_because)
        self._face_set.announce()  # before a crop exists that a crash would leave without a face
        crop = self._crops.keep(face.crop)
        if crop is None:
            raise errors.unknown_token()
        try:
            added = self._face_set.add(KnownFace(token, name, face.embedding, face.embedding_id, crop, set_id))
        except (ModelChangedError, ServiceError) as error:
            if isinstance(error, ModelChangedError) or error.refused:  # otherwise the row may exist
                self._crops.delete_orphan(crop)
            raise
        if added:
            happenings.note(Happening(Kind.ADDED, face_set, [token]))
        else:  # another request has added the same token: the row names that request's crop
            self._crops.delete_orphan(crop)

    def check(self, face_set: str) -> None:
        """Check that faces can be added to a face set: it exists, and the database answers and has this model."""
        self._names.id_of(face_set)
        self.count()

    def count(self) -> int:
        """Return the number of known faces in all face sets."""
        check_model(self._face_set.state().embedding_id, self._model.embedding_id)
        return self._face_set.count()

    def gallery_contents(self) -> Contents:
        """Return what this process's gallery holds now."""
        return self._gallery.contents()

    def _search(self, token: str, embedding: Embedding, terms: Terms) -> Searched:
        with self._searching():
            result = self._gallery.search(embedding, terms)
        return Searched(token, result, self._model.thresholds)

    @contextmanager
    def _searching(self) -> Iterator[None]:
        """Measure a search of the gallery."""
        with timed(Metric.SEARCH):
            yield
        faces = self._gallery.contents().faces
        if faces is not None:
            measure(Metric.GALLERY_SIZE, faces)

    def _keep(self, image: Image, faces: Sequence[DetectedFace]) -> tuple[list[SavedFace], NDArray[np.float32]]:
        """Save crops, then tokens, so that every token has a crop when it is added."""
        embeddings, _, recognisability = self._model.embedder.measure(image, [face.landmarks for face in faces])
        tokens = [new_token() for _ in faces]
        audit.touched(tokens)
        saved = [
            SavedFace(token, temporary_name(token), face, quality.judge(image, face, share))
            for token, face, share in zip(tokens, faces, recognisability, strict=True)
        ]
        if saved:
            detector_id = self._model.detector_id
            self._crops.save_temporary([as_crop(image, face.crop, face.detected, detector_id) for face in saved])
            expires_at = self._tokens.expiry()
            self._tokens.save(
                [
                    TemporaryFace(
                        face.token,
                        embedding,
                        self._model.embedding_id,
                        face.crop,
                        expires_at,
                        tuple(quality.reasons(face.quality)),
                    )
                    for face, embedding in zip(saved, embeddings, strict=True)
                ]
            )
        return saved, embeddings


def as_crop(image: Image, name: str, face: DetectedFace, detector_id: str) -> Crop:
    """Return a face's crop, with its landmarks in pixels of the crop and the id of the detector that found them.

    A face that lies on its side is turned upright.
    """
    image, face = upright(image, face)
    jpeg, part, scale = decoding.crop(image, face.box)
    # Landmarks count from pixel centres: pixel x covers [x - 0.5, x + 0.5) in the image and in the crop.
    corner = np.array([part.left, part.top], np.float32)
    landmarks = (face.landmarks + 0.5 - corner) * scale - 0.5
    return Crop(name, jpeg, landmarks.astype(np.float32), detector_id)
