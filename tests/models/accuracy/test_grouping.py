"""How well faces are grouped by person, and the published figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chalicelib.service.grouping import FALSE_MATCH_RATE
from models.accuracy import grouping
from models.accuracy.labelled_faces import read_csv
from models.accuracy.set_embeddings import SetEmbedder
from models.build import BUILD, CARDS
from tests.packs import SHARED_FACES, dlib_pack, needs_retail, needs_shared, retail_pack
from tests.pictures import astronaut, cat, jpeg


def test_precision_and_recall_count_pairs() -> None:
    """One group has two pictures of Ada and one of Bo, another two of Bo; Cy is alone, and Ada's last has no face."""
    places = [0.0, 0.1, 0.2, 5.0, 5.1, 9.0, np.nan]

    measured = grouping.measure(np.array(places, np.float32)[:, None], ["Ada", "Ada", "Bo", "Bo", "Bo", "Cy", "Ada"], 1)

    assert measured == (2 / 4, 2 / 6, 2, 2)


def test_pictures_of_different_people_that_are_alone_are_perfect() -> None:
    assert grouping.measure(np.array([[0.0], [5.0]], np.float32), ["Ada", "Bo"], 1) == (1, 1, 0, 2)


def test_the_command_writes_its_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dlib_pack()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faces").mkdir()
    for name, picture in {"1": astronaut(), "2": astronaut()[:, ::-1], "3": cat()}.items():
        (tmp_path / "faces" / f"{name}.jpg").write_bytes(jpeg(np.ascontiguousarray(picture)))
    (tmp_path / "faces" / "set.csv").write_text("person,file\neileen,1.jpg\neileen,2.jpg\ncat,3.jpg\n")

    grouping.main([f"{tmp_path}/faces/set.csv", "--pack", str(BUILD / "dlib"), "--into", "docs"])

    text = (tmp_path / "docs" / "accuracy.md").read_text()
    assert "python -m models.accuracy.grouping faces/set.csv" in text
    assert str(tmp_path) not in text
    assert "| set, 3 pictures | 1 | 100.00 % precise, 100.00 % recalled, 1 groups, 1 alone |" in text
    with pytest.raises(SystemExit, match=r"was not measured: the labels absent\.csv cannot be read"):
        grouping.main(["absent.csv", "--pack", str(BUILD / "dlib")])


@needs_shared
@needs_retail
def test_the_recommended_pack_groups_as_published() -> None:
    """Groups are at least 99 % precise, and at least 90 % of a person's pairs are in one group."""
    pack = retail_pack()
    sets = [read_csv(f"{SHARED_FACES}/{name}") for name in ("people.csv", "celebrities_112.csv:pad=0.15")]
    [threshold] = [one.distance for one in pack.thresholds if one.fmr == FALSE_MATCH_RATE]
    embedder = SetEmbedder(pack, BUILD / "accuracy")
    published = (CARDS.parents[1] / "docs" / "accuracy.md").read_text()

    for labelled in sets:
        measured = grouping.measure(embedder.embed(labelled), labelled.people, threshold)
        assert measured.precision >= 0.99
        assert measured.recall >= 0.9
        assert grouping.cell(measured) in published
