"""The accuracy command, from pictures on disk to the report, with the dlib pack."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from chalicelib.faces import Box, DetectedFace, Image
from models.accuracy import __main__ as command
from models.accuracy.labelled_faces import GREY, LabelledSet, LabelsError, read_csv, read_lfw
from models.accuracy.report import write_section
from models.accuracy.set_embeddings import SetEmbedder, central_face
from models.build import BUILD
from tests.packs import dlib_pack
from tests.pictures import astronaut, cat, jpeg, scaled


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Write three pictures with a face and two without, labelled as two people."""
    pictures = [astronaut(), scaled(astronaut(), 300, 300), astronaut()[:, ::-1], cat(), cat()[:, ::-1]]
    folder = tmp_path / "faces"
    folder.mkdir()
    rows = ["person,file,origin"]
    for number, picture in enumerate(pictures):
        (folder / f"{number}.jpg").write_bytes(jpeg(np.ascontiguousarray(picture)))
        rows.append(f"{'one' if number < 2 else 'other'},{number}.jpg,scikit-image")
    (folder / "faces.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture
def lfw(tmp_path: Path) -> Path:
    """Write two folds of two people, who are one person under two names."""
    folder = tmp_path / "lfw"
    for name, picture in (("A", astronaut()), ("B", np.ascontiguousarray(astronaut()[:, ::-1]))):
        (folder / "images" / name).mkdir(parents=True)
        for number in (1, 2):
            size = 250 + 50 * number
            (folder / "images" / name / f"{name}_000{number}.jpg").write_bytes(jpeg(scaled(picture, size, size)))
    (folder / "pairs.txt").write_text("2\t1\nA\t1\t2\nA\t1\tB\t1\nB\t1\t2\nA\t2\tB\t2\n")
    return folder


def test_the_report_shows_all_sets_side_by_side(
    faces: Path, lfw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dlib_pack()
    into, scratch = tmp_path / "docs", tmp_path / "scratch"

    command.run([f"{faces}/faces.csv", f"{faces}/faces.csv:pad=0.2"], lfw, BUILD / "dlib", into, scratch)

    text = (into / "accuracy.md").read_text()
    assert text.startswith("# Accuracy\n")
    assert "python -m models.accuracy faces/faces.csv faces/faces.csv:pad=0.2 --lfw lfw" in text
    assert str(tmp_path) not in text
    assert "|  | faces | faces | LFW |" in text
    assert "| pictures, people | 5, 2 | 5, 2 | 4, 2 |" in text
    assert "| faces found | 3 | 3 | 4 |" in text
    assert "fewer than 10 pairs of different people" in text
    assert "No face was found in 2 pictures, faces/3.jpg, faces/4.jpg, of faces." in text
    assert re.search(r"4 pairs in 2 folds: \*\*\d+\.00 % ± 0\.00 %\*\*", text)
    assert dlib_pack().embedding_id in capsys.readouterr().out
    worst = cv2.imread(str(scratch / "worst-pairs-LFW.png"))
    assert worst is not None
    assert worst.shape[1] > worst.shape[0]
    plots = ["accuracy-roc.svg"] if importlib.util.find_spec("matplotlib") else []
    assert sorted(path.name for path in into.iterdir()) == [*plots, "accuracy.md"]


def test_a_set_is_embedded_only_once(faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labelled = read_csv(f"{faces}/faces.csv")
    first = SetEmbedder(dlib_pack(), tmp_path / "kept").embed(labelled)
    [kept] = (tmp_path / "kept").iterdir()
    # Simulates a run that was stopped while it wrote the last record.
    kept.write_bytes(kept.read_bytes()[:-7])
    read: list[int] = []
    read_picture = LabelledSet.read

    def count(labelled: LabelledSet, index: int) -> Image:
        read.append(index)
        return read_picture(labelled, index)

    monkeypatch.setattr(LabelledSet, "read", count)

    again = SetEmbedder(dlib_pack(), tmp_path / "kept").embed(labelled)
    third = SetEmbedder(dlib_pack(), tmp_path / "kept").embed(labelled)

    assert read == [4]
    assert np.array_equal(first, again, equal_nan=True)
    assert np.array_equal(first, third, equal_nan=True)
    assert np.isnan(first).any(axis=1).tolist() == [False, False, False, True, True]


def test_a_border_is_grey_and_as_wide_as_a_fraction_of_the_longer_side(faces: Path) -> None:
    picture = read_csv(f"{faces}/faces.csv:pad=0.1").read(3)

    assert picture.shape == (300 + 2 * 45, 451 + 2 * 45, 3)
    assert (picture[:45] == GREY).all()


def test_the_central_face_is_the_face_nearest_the_middle() -> None:
    picture = np.zeros((100, 200, 3), np.uint8)
    left, right = (
        DetectedFace(Box(*edges), np.zeros((5, 2), np.float32), 1.0) for edges in ((0, 0, 80, 80), (110, 40, 130, 60))
    )

    assert central_face(picture, [left, right]) is right


def test_lfws_people_are_named_after_their_folders(lfw: Path) -> None:
    labelled = read_lfw(lfw)

    assert [file.name for file in labelled.files] == ["A_0001.jpg", "A_0002.jpg", "B_0001.jpg", "B_0002.jpg"]
    assert labelled.people == ("A", "A", "B", "B")
    assert labelled.central


def test_only_the_generated_section_of_a_document_is_replaced(tmp_path: Path) -> None:
    document = tmp_path / "accuracy.md"
    document.write_text("before\n<!-- begin accuracy -->\nold\n<!-- end accuracy -->\nafter\n")

    write_section(document, "<!-- begin accuracy -->\nnew\n<!-- end accuracy -->\n")

    assert document.read_text() == "before\n<!-- begin accuracy -->\nnew\n<!-- end accuracy -->\nafter\n"


@pytest.mark.parametrize(
    ("text", "argument", "message"),
    [
        ("person,picture\na,1.jpg\n", "", "no column 'file'"),
        ("person,file\n", "", "list no pictures"),
        ("person,file\na,1.jpg\n", ":pad=wide", "is not valid: write file"),
    ],
)
def test_invalid_labels_are_refused(tmp_path: Path, text: str, argument: str, message: str) -> None:
    (tmp_path / "set.csv").write_text(text)

    with pytest.raises(LabelsError, match=message):
        read_csv(f"{tmp_path}/set.csv{argument}")


def test_a_picture_that_the_service_would_refuse_is_named(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(b"no picture")
    (tmp_path / "set.csv").write_text("person,file\na,1.jpg\n")

    with pytest.raises(LabelsError, match=r"1\.jpg of set cannot be read"):
        read_csv(f"{tmp_path}/set.csv").read(0)


def test_the_command_explains_errors(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"was not measured: the labels .*absent\.csv cannot be read"):
        command.main([str(tmp_path / "absent.csv")])
    with pytest.raises(SystemExit, match=r"was not measured: .*contains no pictures"):
        command.main(["--lfw", str(tmp_path)])
