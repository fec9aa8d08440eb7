"""Registers each person once.

python registrations.py add "Ada Lovelace" ada.jpg   # refuses a face that is known under another name
python registrations.py duplicates                   # lists people with several names
"""

from __future__ import annotations

import sys
from pathlib import Path

from face_search import FaceSearchError, call

# The most faces that /groups compares, and the most people on a page of /people.
MOST = 1000


def add(name: str, picture: bytes) -> list[str]:
    """Add the face of a picture. If people with other names look like it, add nothing and return their names."""
    faces = call("POST", "/detect", picture)["faces"]
    if len(faces) != 1:
        sys.exit(f"The picture must show one face, and shows {len(faces)}.")
    token = faces[0]["face_token"]
    added = call("POST", "/addface", face_token=token, face_name=name, check="true", quality_filter="auto")
    if added["similar"]:
        call("POST", "/removeface", face_token=token)
    return [person["face_name"] for person in added["similar"]]


def duplicates() -> list[list[str]]:
    """Return groups of names that seem to belong to one person, among the first 1,000 people."""
    people = call("GET", "/people", limit=MOST)["people"]
    names = {person["cover"]: person["name"] for person in people}
    if not names:
        return []
    return [[names[token] for token in group] for group in call("POST", "/groups", face_tokens=list(names))["groups"]]


def main(command: str = "", *arguments: str) -> None:
    if command == "duplicates":
        for group in duplicates():
            print("One person?", ", ".join(group))
        return
    if command != "add" or len(arguments) != 2:
        sys.exit(__doc__)
    name, file = arguments
    if others := add(name, Path(file).read_bytes()):
        sys.exit(f"Not added: {name} looks like {', '.join(others)}.")
    print(f"Added {name}.")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (FaceSearchError, OSError) as error:
        sys.exit(f"{error}")
