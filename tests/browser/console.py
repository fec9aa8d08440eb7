"""Operates the console as a sighted user does."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.browser.page_watch import PageWatch

WAIT_MILLISECONDS = 60_000
# Pastes or drops a test's file into the page, as from the clipboard or the desktop.
_GIVE = """
([kind, selector, name, type, text]) => {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], name, { type }));
    const event = kind === "paste"
        ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true })
        : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
    document.querySelector(selector).dispatchEvent(event);
}
"""


class Console:
    """One tab. `url` is the service's root, without a trailing slash."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.watch = PageWatch(page)
        page.set_default_timeout(WAIT_MILLISECONDS)
        expect.set_options(timeout=WAIT_MILLISECONDS)

    def open(self, view: str = "", path: str = "/") -> None:
        """Load the page at one of its addresses, and open a view."""
        self.page.goto(f"{self.url}{path}" + (view and f"#{view}"))

    def open_people(self, person: str = "", **terms: str) -> None:
        """Load the page at the address of everyone, a search or a person, and wait for the list."""
        address = "/".join(["#/people", *([quote(person, safe="")] if person else [])])
        self.page.goto(f"{self.url}/{address}?{urlencode(terms)}")
        expect(self.cards.first).to_be_visible()

    def go(self, view: str) -> None:
        self.page.get_by_role("navigation").get_by_role("link", name=view).click()

    def view(self, name: str) -> Locator:
        return self.page.locator(f"section#{name}")

    def choose(self, picture: bytes, name: str = "picture.jpg", mime: str = "image/jpeg", into: str = "find") -> None:
        """Choose a file, as with the file dialog."""
        self.page.locator(f"#{into}-drop input").set_input_files(file(picture, name, mime))

    def add_many(self, files: Mapping[str, bytes]) -> None:
        """Choose files by name in the view that adds many faces."""
        self.page.locator("#bulk-files").set_input_files([file(content, name) for name, content in files.items()])

    def paste(self, picture: bytes) -> None:
        self._give("paste", "body", picture, "image.png", "image/png")

    def drop(self, picture: bytes, onto: str, name: str = "picture.jpg", mime: str = "image/jpeg") -> None:
        self._give("drop", onto, picture, name, mime)

    def _give(self, kind: str, selector: str, picture: bytes, name: str, mime: str) -> None:
        self.page.evaluate(_GIVE, [kind, selector, name, mime, base64.b64encode(picture).decode()])

    def text(self, words: str | re.Pattern[str]) -> Locator:
        """The visible text of the view, without text for screen readers or fading messages."""
        return self.page.locator("section:visible").get_by_text(words)

    @property
    def cards(self) -> Locator:
        """The people of the grid, or the pictures of a person."""
        return self.view("people").locator("li.person:visible")

    def card(self, name: str) -> Locator:
        return self.cards.filter(has_text=name)

    @property
    def notice(self) -> Locator:
        return self.page.locator(".notice.shown")

    @property
    def faces(self) -> Locator:
        return self.view("find").locator("button.face")

    @property
    def matches(self) -> Locator:
        return self.view("find").locator(".matches li:not(.skeleton)")

    @property
    def alert(self) -> Locator:
        """The error message in the current view."""
        return self.page.locator("section:visible [role=alert]:visible")

    @property
    def dialog(self) -> Locator:
        return self.page.locator("dialog[open]").last

    @property
    def chips(self) -> Locator:
        """The names on the picture."""
        return self.view("find").locator(".chip")

    @property
    def name_field(self) -> Locator:
        return self.page.get_by_label("Name this face")

    def name_face(self, name: str) -> None:
        """Name the shown face, and wait until the picture shows the name as saved."""
        saved = self.view("find").locator(".face.saved").filter(has=self.page.get_by_text(name, exact=True))
        count = saved.count()
        self.name_field.fill(name)
        self.name_field.press("Enter")
        expect(saved).to_have_count(count + 1)


def file(content: bytes, name: str = "picture.jpg", mime: str = "image/jpeg") -> FilePayload:
    return FilePayload(name=name, mimeType=mime, buffer=content)
