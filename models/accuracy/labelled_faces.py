"""Reads sets of labelled pictures: a CSV file, or the folder of Labeled Faces in the Wild (LFW)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from chalicelib.errors import ServiceError
from chalicelib.faces import Image
from chalicelib.images import decoding

# The colour of the border around pictures: the grey that MTCNN maps to about zero. On aligned 112 px crops, every
# colour, and no border at all, finds as many faces. With grey, the least certain face has the highest confidence.
GREY = (127, 127, 127)
PAIRS_FILE = "pairs.txt"


class LabelsError(Exception):
    """The labels or a picture cannot be used; the message is one sentence for the user who gave them."""


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """Pictures, and the person in each; `files` and `people` have the same order.

    `pad` is the border added to each picture before faces are searched for, as a fraction of its longer side. The
    largest face of a picture is used, or with `central` the face with its box centred nearest the middle.
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
            If the file cannot be read, or the service would reject it.
        """
        try:
            image = decoding.decode(self.files[index].read_bytes())
        except (OSError, ServiceError) as error:
            raise LabelsError(f"the picture {self.files[index]} of {self.name} cannot be read: {error}") from error
        border = round(self.pad * max(image.shape[:2]))
        padded = cv2.copyMakeBorder(image, border, border, border, border, cv2.BORDER_CONSTANT, value=GREY)
        return np.asarray(padded, np.uint8)


def read_csv(argument: str) -> LabelledSet:
    """Read a CSV file, given as `file.csv` or `file.csv:pad=0.15`.

    Its columns are `person` and `file`, a path relative to the CSV file's folder.

    Raises
    ------
    LabelsError
        If the file cannot be read or is empty, a column is missing, or `pad` is not a number.
    """
    path_text, _, pad = argument.partition(":pad=")
    path = Path(path_text)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        if not rows:
            raise LabelsError(f"the labels {path} list no pictures")
        files = tuple(path.parent / row["file"] for row in rows)
        return LabelledSet(path.stem, files, tuple(row["person"] for row in rows), pad=float(pad or 0))
    except OSError as error:
        raise LabelsError(f"the labels {path} cannot be read: {error.strerror}") from error
    except KeyError as error:
        raise LabelsError(f"the labels {path} have no column {error}; `person` and `file` are required") from error
    except ValueError as error:
        raise LabelsError(f"{argument!r} is not valid: write file.csv, or file.csv:pad=0.15 for a border") from error


def read_lfw(folder: Path) -> LabelledSet:
    """Read all pictures `Name/Name_0001.jpg` below a folder; the central face of each is used.

    Raises
    ------
    LabelsError
        If there are none.
    """
    files = tuple(sorted(folder.glob("**/*_[0-9][0-9][0-9][0-9].jpg")))
    if not files:
        raise LabelsError(f"{folder} contains no pictures with LFW's names, Name/Name_0001.jpg")
    return LabelledSet("LFW", files, tuple(file.parent.name for file in files), central=True)
