"""Names the faces in a folder of photographs. A person confirms each name in a table.

python photo_library.py suggest photos > faces.csv   # then check the names, and fill in the empty ones
python photo_library.py confirm faces.csv            # faces without a name are left out
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from face_search import FaceSearchError, call


def photographs(folder: Path) -> list[Path]:
    found = sorted(file for file in folder.rglob("*") if file.suffix.lower() in (".jpg", ".jpeg", ".png"))
    return found or sys.exit(f"There is no .jpg or .png in {folder} or its folders.")


def suggest(folder: Path) -> None:
    """Write a line for each face in the folder, with the nearest known person."""
    table = csv.writer(sys.stdout)
    table.writerow(["name", "photograph", "face_token"])
    for file in photographs(folder):
        try:
            faces = call("POST", "/identify", file.read_bytes())["faces"]
        except FaceSearchError as error:
            if error.code != "1004":
                raise
            print(f"{file}: {error}", file=sys.stderr)  # a broken picture; the others are named all the same
            continue
        for face in faces:
            name = face["matches"][0]["face_name"] if face["matches"] else ""
            table.writerow([name, file, face["face_token"]])


def confirm(file: Path) -> None:
    """Add the named faces of a table, and list everyone in the library. Running it again does no harm."""
    with file.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if row["name"].strip():
                call("POST", "/addface", face_token=row["face_token"], face_name=row["name"])
    cursor = None
    while True:
        page = call("GET", "/people", cursor=cursor)
        for person in page["people"]:
            print(f"{person['faces']:4} {person['name']}")
        cursor = page["next_cursor"]
        if cursor is None:
            break


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("suggest", "confirm"):
        sys.exit(__doc__)
    try:
        {"suggest": suggest, "confirm": confirm}[sys.argv[1]](Path(sys.argv[2]))
    except (FaceSearchError, OSError) as error:
        sys.exit(f"{error}")
