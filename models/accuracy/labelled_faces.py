"""Sets of pictures whose people are known: a CSV file, or the folder of Labeled Faces in the Wild (LFW)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from chalicelib.errors import ServiceError
from chalicelib.faces import Image
from chalicelib.images import decoding

# What a set is padded with: the grey that MTCNN sees as nothing. On aligned 112 px crops every colour and no border at
# all finds as many faces; the least certain of them is found with the highest confidence on grey.
GREY = (127, 127, 127)
PAIRS_FILE = "pairs.txt"


class LabelsError(Exception):
    """The labels or a picture cannot be used; the message is one sentence for whoever gave them."""


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """Pictures and, at the same places, who is in them.

    `pad` is the border that each picture gets before faces are looked for, a fraction of its longer side. The face
    that counts is the largest of a picture, or with `central` the one whose box is centred nearest its middle.
    """

    name: str
    files: tuple[Path, ...]
    people: tuple[str, ...]
    pad: float = 0.0
    central: bool = False

    def read(self, index: int) -> Image:
        """Return a picture, RGB, with its border.

        Raises
        ------
        LabelsError
            When the service would refuse the file.
        """
        try:
            image = decoding.decode(self.files[index].read_bytes())
        except (OSError, ServiceError) as error:
            raise LabelsError(f"the picture {self.files[index]} of {self.name} cannot be read: {error}") from error
        border = round(self.pad * max(image.shape[:2]))
        padded = cv2.copyMakeBorder(image, border, border, border, border, cv2.BORDER_CONSTANT, value=GREY)
        return np.asarray(padded, np.uint8)


def read_csv(argument: str) -> LabelledSet:
    """Read `file.csv` or `file.csv:pad=0.15`: columns `person` and `file`, a path from the CSV file's folder.

    Raises
    ------
    LabelsError
        When the file cannot be read or is empty, a column is absent, or `pad` is no fraction.
    """
    path_text, _, pad = argument.partition(":pad=")
    path = Path(path_text)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        if not rows:
            raise LabelsError(f"the labels {path} name no picture")
        files = tuple(path.parent / row["file"] for row in rows)
        return LabelledSet(path.stem, files, tuple(row["person"] for row in rows), pad=float(pad or 0))
    except OSError as error:
        raise LabelsError(f"the labels {path} cannot be read: {error.strerror}") from error
    except KeyError as error:
        raise LabelsError(f"the labels {path} have no column {error}; `person` and `file` are needed") from error
    except ValueError as error:
        raise LabelsError(f"{argument!r} is not a CSV file with a border: write file.csv:pad=0.15") from error


def read_lfw(folder: Path) -> LabelledSet:
    """Read all pictures `Name/Name_0001.jpg` below a folder; the subject of each is its central face.

    Raises
    ------
    LabelsError
        When there are none.
    """
    files = tuple(sorted(folder.glob("**/*_[0-9][0-9][0-9][0-9].jpg")))
    if not files:
        raise LabelsError(f"{folder} holds no pictures named as LFW's are, Name/Name_0001.jpg")
    return LabelledSet("LFW", files, tuple(file.parent.name for file in files), central=True)
