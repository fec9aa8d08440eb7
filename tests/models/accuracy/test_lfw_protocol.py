"""LFW's standard protocol, on pairs few enough to calculate by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.accuracy.labelled_faces import LabelledSet, LabelsError
from models.accuracy.lfw_protocol import best_threshold, read_pairs, run

# Two folds, each with two genuine and two impostor pairs.
PAIRS = """2\t2
A\t1\t2
B\t1\t2
A\t1\tB\t1
A\t2\tB\t2
C\t1\t2
D\t1\t2
C\t1\tD\t1
C\t2\tD\t2
"""
# Points on a line. Distances in the first fold: 1, 1, 10, 10; in the second: 1, 6, 10, 5.
PLACES = {"A_0001": 0, "A_0002": 1, "B_0001": 10, "B_0002": 11, "C_0001": 0, "C_0002": 1, "D_0001": 10, "D_0002": 4}
SET = LabelledSet(
    "LFW", tuple(Path(name[0]) / f"{name}.jpg" for name in PLACES), tuple(name[0] for name in PLACES), central=True
)
EMBEDDINGS = np.array(list(PLACES.values()), np.float32)[:, None]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.txt"
    path.write_text(PAIRS)
    return path


def test_pairs_are_read_with_their_folds(file: Path) -> None:
    pairs = read_pairs(file)

    assert pairs.pictures[1] == ("B_0001", "B_0002")
    assert pairs.pictures[7] == ("C_0002", "D_0002")
    assert pairs.genuine.tolist() == [True, True, False, False] * 2
    assert pairs.folds.tolist() == [0] * 4 + [1] * 4


def test_each_fold_is_judged_by_the_threshold_of_the_other_folds(file: Path) -> None:
    result = run(read_pairs(file), SET, EMBEDDINGS)

    # The second fold (1 genuine, 3 impostor, 6 genuine, 10 impostor) gives the best threshold 2, which judges all pairs
    # of the first correctly. The first gives 5.5, which wrongly accepts the 3 and rejects the 6.
    assert result.thresholds == (2, 5.5)
    assert result.accuracy == (1 + 0.5) / 2
    assert result.standard_error == pytest.approx(np.std([1, 0.5], ddof=1) / np.sqrt(2))
    assert (result.pairs, result.folds, result.pairs_without_a_face) == (8, 2, 0)


def test_a_pair_without_a_face_always_counts_as_wrong(file: Path) -> None:
    embeddings = EMBEDDINGS.copy()
    embeddings[0] = np.nan  # A_0001 is in one genuine and one impostor pair of the first fold

    result = run(read_pairs(file), SET, embeddings)

    assert result.pairs_without_a_face == 2
    assert result.accuracy == (0.5 + 0.5) / 2
    assert result.accuracy_of_found == (1 + 0.5) / 2


def test_the_best_threshold_lies_halfway_between_the_separated_distances() -> None:
    assert best_threshold(np.array([1.0, 2, 3, 4]), np.array([True, True, False, False])) == 2.5
    assert best_threshold(np.array([4.0, 1, 2, 3]), np.array([False, True, False, True])) == 1.5


@pytest.mark.parametrize(
    ("text", "message"),
    [("2\t2\nA\t1\t2\n", "must have 2 x 2 x 2 pairs; it has 1"), ("1\t1\nA\t1\nB\t1\n", "not in LFW's format")],
)
def test_a_malformed_pairs_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "pairs.txt").write_text(text)

    with pytest.raises(LabelsError, match=message):
        read_pairs(tmp_path / "pairs.txt")


def test_a_missing_picture_is_named(file: Path) -> None:
    short = LabelledSet("LFW", SET.files[:-1], SET.people[:-1], central=True)

    with pytest.raises(LabelsError, match="D_0002"):
        run(read_pairs(file), short, EMBEDDINGS[:-1])
