"""Recognition accuracy of the dlib pack, with published figures as lower bounds."""

from __future__ import annotations

import csv

import numpy as np

from tests.packs import SHARED_FACES, detector, embedder, needs_shared
from tests.pictures import read

THRESHOLD = 0.65


@needs_shared
def test_people_are_distinguished() -> None:
    with (SHARED_FACES / "people.csv").open() as file:
        rows = list(csv.DictReader(file))
    embeddings = []
    for row in rows:
        picture = read(SHARED_FACES / row["file"])
        faces = detector().detect(picture)
        assert faces, f"no face was found in {row['file']}"
        embeddings.append(embedder().embed(picture, [faces[0].landmarks])[0].astype(np.float64))

    first, second = np.triu_indices(len(rows), 1)
    distances = np.linalg.norm(np.array(embeddings)[first] - np.array(embeddings)[second], axis=1)
    people = np.array([row["person"] for row in rows])
    same = people[first] == people[second]

    assert (same.sum(), (~same).sum()) == (89, 1289)
    assert np.mean(distances[same] <= THRESHOLD) >= 0.97
    assert np.mean(distances[~same] <= THRESHOLD) <= 0.003
