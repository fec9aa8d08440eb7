"""Names the person at a door: `python door.py camera.jpg`. The exit code is 1 if a human must decide.

The face set `staff` has the people who may enter. A photograph of a person looks like the person: guard the camera.
"""

from __future__ import annotations

import sys
from pathlib import Path

from face_search import FaceSearchError, call

FACE_SET = "staff"
# Among N people, a stranger passes for someone in about N x FMR of the visits: 1 in 100 for 100 people.
FMR = "1e-4"
# Two people at nearly the same distance cannot be distinguished.
LEAST_GAP = 0.05


def person_at_the_door(picture: bytes) -> str:
    """Return the person's name, or raise ValueError with the reason why a human must decide."""
    reply = call("POST", "/identify", picture, face_set=FACE_SET, limit=2)
    if reply["face_num"] != 1:
        raise ValueError(f"the picture shows {reply['face_num']} faces, not 1")
    [face] = reply["faces"]
    if reasons := face["quality"]["reasons"]:
        raise ValueError("; ".join(reasons))
    matches = face["matches"]
    if not matches or matches[0]["distance"] > reply["thresholds"].get(FMR, 0):
        raise ValueError("not on the staff")
    if len(matches) > 1 and matches[1]["distance"] - matches[0]["distance"] < LEAST_GAP:
        raise ValueError(f"{matches[0]['face_name']} or {matches[1]['face_name']}")
    return str(matches[0]["face_name"])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        print(f"Open the door for {person_at_the_door(Path(sys.argv[1]).read_bytes())}.")
    except (ValueError, OSError, FaceSearchError) as reason:
        sys.exit(f"Call the guard: {reason}.")
