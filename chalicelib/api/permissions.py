"""The access that each route needs, by the name of its view in app.py. `routing.endpoint` requires an entry.

`/detect` reads: a detected face is in no face set, and expires.
"""

from __future__ import annotations

from chalicelib.api.callers import Access

NEEDED: dict[str, Access] = {
    "detect": "read",
    "search_by_token": "read",
    "search_by_picture": "read",
    "identify": "read",
    "compare": "read",
    "group_faces": "read",
    "add_face": "write",
    "remove_face": "write",
    "list_faces": "read",
    "get_face": "read",
    "rename_face": "write",
    "get_crop": "read",
    "list_people": "read",
    "change_person": "write",
    "delete_person": "write",
    "list_faces_of_person": "read",
    "list_face_sets": "read",
    "create_face_set": "write",
    "delete_face_set": "write",
    "info": "read",
}
