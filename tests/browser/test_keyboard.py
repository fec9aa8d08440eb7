"""The page works with a keyboard alone."""

from __future__ import annotations

from playwright.sync_api import expect

from tests import pictures
from tests.browser.console import Console, file
from tests.e2e.http_api import HttpApi

ASTRONAUT = pictures.jpeg(pictures.astronaut())


class TestKeyboard:
    def test_from_a_picture_to_its_name_and_back(self, desktop: Console, api: HttpApi) -> None:
        press = desktop.page.keyboard.press
        desktop.open()
        press("Tab")
        expect(desktop.page.get_by_role("link", name="Skip to content")).to_be_focused()
        # From here on, file dialogs are intercepted, which takes the browser a moment.
        with desktop.page.expect_file_chooser() as chooser:
            tab_to(desktop, "Choose a picture")
            press("Enter")
        chooser.value.set_files(file(ASTRONAUT))
        expect(desktop.faces).to_have_count(1)
        expect(desktop.name_field).to_be_focused()
        tab_to(desktop, "Who is this?", back=True)
        press("Enter")
        expect(desktop.name_field).to_be_focused()
        desktop.page.keyboard.type("Eileen Collins")
        press("Enter")
        expect(desktop.chips).to_have_text("Eileen Collins")
        expect(desktop.name_field).to_be_focused()

        tab_to(desktop, "People", back=True)
        press("Enter")
        expect(desktop.cards).to_have_count(1)
        tab_to(desktop, "Eileen Collins")
        press("Enter")
        expect(desktop.cards).to_have_count(1)
        expect(desktop.page.get_by_role("heading", name="Eileen Collins")).to_be_focused()
        tab_to(desktop, "Rename Eileen Collins")
        press("Enter")
        desktop.page.keyboard.type("Eileen")
        press("Enter")
        expect(desktop.page.get_by_role("heading", name="Eileen", exact=True)).to_be_focused()
        tab_to(desktop, "More for Eileen")
        press("Enter")
        press("Escape")
        expect(desktop.page.get_by_text("Remove all pictures")).to_be_hidden()
        tab_to(desktop, "Picture 1 of Eileen")
        press("Enter")
        tab_to(desktop, "Remove")
        press("Enter")
        expect(desktop.text("There are no pictures of Eileen in this face set.")).to_be_visible()
        expect(desktop.page.get_by_role("heading", name="Eileen")).to_be_focused()
        tab_to(desktop, "Undo")
        press("Enter")
        expect(desktop.page.get_by_role("button", name="Picture 1 of Eileen", exact=True)).to_be_focused()
        assert [face["face_name"] for face in api.get("/faces").body["faces"]] == ["Eileen"]


# The name of the focused element, as a screen reader announces it.
_FOCUSED = """
() => { const it = document.activeElement; return it.ariaLabel
    || it.labels?.[0]?.textContent || it.textContent.trim() || it.title; }
"""


def tab_to(console: Console, name: str, *, back: bool = False) -> None:
    for _ in range(40):
        console.page.keyboard.press("Shift+Tab" if back else "Tab")
        if str(console.page.evaluate(_FOCUSED)).startswith(name):
            return
    raise AssertionError(f"the keyboard cannot reach {name}")
