"""A user names everyone in a group photograph, mends mistakes, and changes their mind, with few actions."""

from __future__ import annotations

import cv2
import numpy as np
from playwright.sync_api import Locator, expect

from chalicelib.images import decoding
from tests import pictures
from tests.browser.console import Console
from tests.e2e import people
from tests.e2e.http_api import HttpApi
from tests.packs import needs_shared

SIDE_PX = 320
# A click of somebody who knows the page, and a name that is typed.
SECONDS_PER_ACTION, SECONDS_PER_NAME = 1.5, 4.0
MAX_SECONDS = 60
# Biden's name in the face set is wrong.
WRONG, RIGHT = "Barack", "Joe Biden"


class Hands:
    """Does what a user does, and adds up the seconds that they take."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def click(self, target: Locator) -> None:
        target.click()
        self.seconds += SECONDS_PER_ACTION

    def type(self, target: Locator, name: str) -> None:
        target.fill(name)
        self.seconds += SECONDS_PER_NAME


@needs_shared
def test_a_group_photograph_is_named_and_mended_within_a_minute(console: Console, api: HttpApi) -> None:
    known = {name: name.capitalize() for name in people.NAMES} | {people.STRANGER: WRONG}
    for person, name in known.items():
        api.added(people.pictures_of(person)[0], name)
    api.added(people.pictures_of("amy")[2], "Amy F.")
    hands, page, button = Hands(), console.page, console.page.get_by_role

    # Open a picture of six people; confirm five names, and correct one.
    console.open()
    console.choose(group([people.pictures_of(person)[1] for person in known]))
    hands.seconds += 2 * SECONDS_PER_ACTION
    expect(console.chips).to_have_count(6)
    expect(page.locator(".face.guess")).to_have_count(6)
    for confirmed in range(1, 7):
        if console.name_field.input_value() == WRONG:
            hands.type(console.name_field, RIGHT)
        hands.click(page.locator("#add-button"))
        expect(page.locator(".face.saved")).to_have_count(confirmed)
    if (question := button("button", name="No, two people")).is_visible():
        hands.click(question)
    expect(console.chips.filter(has_text=RIGHT)).to_have_count(1)

    # Merge two spellings.
    hands.click(button("navigation").get_by_role("link", name="People"))
    hands.click(console.card("Amy F."))
    hands.click(button("button", name="Rename Amy F."))
    hands.type(console.dialog.get_by_label("Name"), "Amy")
    hands.click(console.dialog.get_by_role("button", name="Rename"))
    hands.click(console.dialog.get_by_role("button", name="Merge"))
    expect(console.cards).to_have_count(3)

    # Remove a picture, and put it back.
    hands.click(button("button", name="Picture 1 of Amy", exact=True))
    hands.click(console.dialog.get_by_role("button", name="Remove", exact=True))
    expect(console.cards).to_have_count(2)
    hands.click(button("button", name="Undo: Removed a picture of Amy."))
    expect(console.cards).to_have_count(3)

    found = {person["name"]: person["faces"] for person in api.get("/people").body["people"]}
    assert found == {**{name.capitalize(): 2 for name in people.NAMES}, "Amy": 3, WRONG: 1, RIGHT: 1}
    assert hands.seconds < MAX_SECONDS
    console.watch.forgive_refusals()


def group(files: list[bytes]) -> bytes:
    """Return one picture of the largest squares in the middle of several pictures, in rows of three."""
    tiles = []
    for file in files:
        image = decoding.decode(file)
        side = min(image.shape[:2])
        top, left = ((length - side) // 2 for length in image.shape[:2])
        square = image[top : top + side, left : left + side]
        tiles.append(cv2.resize(square, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA))
    rows = [np.hstack(tiles[start : start + 3]) for start in range(0, len(tiles), 3)]
    return pictures.jpeg(np.vstack(rows))
