"""People are listed, searched, renamed, merged and moved."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Route, expect

from tests import pictures
from tests.browser.console import Console
from tests.browser.crowd import add_people
from tests.browser.gateway import Gateway
from tests.browser.rates import words
from tests.e2e.http_api import HttpApi

ASTRONAUT = pictures.jpeg(pictures.astronaut())

# Returns what a user sees where the notice is.
IN_FRONT = """
() => {
    const { left, top, width, height } = document.querySelector(".notice").getBoundingClientRect();
    return document.elementFromPoint(left + width / 2, top + height / 2).closest(".notice, dialog").id;
}
"""


def people_of(api: HttpApi) -> dict[str, int]:
    return {person["name"]: person["faces"] for person in api.get("/people").body["people"]}


def heading(console: Console, name: str) -> Locator:
    return console.page.get_by_role("heading", name=name, exact=True)


class TestEveryone:
    def test_an_empty_face_set(self, console: Console) -> None:
        console.open("people")

        expect(console.text("No faces in this face set yet")).to_be_visible()
        console.page.get_by_role("link", name="Open a picture").click()
        expect(console.page.get_by_role("heading", name="Who is this?")).to_be_visible()

    def test_each_person_has_a_cover_a_name_and_a_count(self, console: Console, api: HttpApi) -> None:
        add_people(api, ["Ada", "ada ", "Grace"])
        console.open("people")

        expect(console.cards).to_have_count(2)
        expect(console.cards.nth(0)).to_have_text(re.compile(r"^Ada\s+2 pictures$", re.IGNORECASE))
        expect(console.cards.nth(1)).to_have_text(re.compile(r"^Grace\s+1 picture$"))
        expect(console.text("2 people")).to_be_visible()
        console.page.wait_for_function("() => document.querySelector('.person img').naturalWidth > 0")

    def test_any_part_of_a_name_finds_people(self, console: Console, api: HttpApi) -> None:
        add_people(api, ["Ada Lovelace", "Grace Hopper", "adam"])
        console.open_people()

        console.page.get_by_role("searchbox").fill("DA")

        expect(console.cards).to_have_count(2)
        expect(console.text("2 people with “DA” in the name")).to_be_visible()
        expect(console.page.get_by_role("searchbox")).to_be_focused()
        console.page.get_by_role("searchbox").fill("nobody")
        expect(console.text("No people with “nobody” in the name")).to_be_visible()
        expect(console.cards).to_have_count(0)

    def test_more_than_a_page(self, desktop: Console, api: HttpApi) -> None:
        add_people(api, [f"Number {number}" for number in range(50)])
        desktop.open("people")
        expect(desktop.cards).to_have_count(48)
        expect(desktop.text("48+ people")).to_be_visible()

        desktop.page.get_by_role("button", name="Show more").click()

        expect(desktop.cards).to_have_count(50)
        expect(desktop.text("50 people")).to_be_visible()
        expect(desktop.page.get_by_role("button", name="Show more")).to_be_hidden()
        expect(desktop.page.get_by_role("link", name="Number 48")).to_be_focused()

    def test_faces_without_a_name_are_named(self, console: Console, api: HttpApi) -> None:
        add_people(api, ["unknown", "Unknown", "unknown soldier", "Ada"])
        console.open_people()
        expect(console.cards).to_have_count(3)
        expect(console.text("2 people")).to_be_visible()

        console.page.get_by_role("link", name="Unnamed 2 pictures").click()
        expect(console.cards).to_have_count(2)
        console.page.get_by_role("button", name="Unnamed picture 1", exact=True).click()
        expect(console.dialog.get_by_role("button", name="Make cover")).to_be_hidden()
        console.dialog.get_by_role("button", name="Move to …").click()
        console.dialog.get_by_label("Name").fill("Ada")
        console.dialog.get_by_role("button", name="Move").click()

        expect(console.cards).to_have_count(1)
        assert people_of(api) == {"unknown soldier": 1, "Ada": 2}

    def test_several_people_become_one(self, console: Console, api: HttpApi) -> None:
        add_people(api, ["Ada", "A. Lovelace", "Grace"])
        console.open_people()
        console.page.get_by_role("button", name="Select", exact=True).click()
        expect(console.page.get_by_role("checkbox", name="Select Ada")).to_be_focused()
        console.card("Ada").click()
        console.card("A. Lovelace").click()
        expect(console.text("2 selected")).to_be_visible()

        console.page.get_by_role("button", name="Move to …").click()
        expect(console.dialog.locator("img")).to_have_count(2)
        console.dialog.get_by_label("Name").fill("Ada")
        console.dialog.get_by_role("button", name="Move").click()
        expect(console.dialog).to_contain_text("Ada and A. Lovelace will be one person, Ada.")
        console.dialog.get_by_role("button", name="Merge").click()

        expect(console.cards).to_have_count(2)
        expect(console.notice).to_have_text("Moved all pictures of 2 people to Ada.")
        expect(console.page.get_by_role("link", name="Grace")).to_be_focused()
        assert people_of(api) == {"Ada": 2, "Grace": 1}

    def test_the_selection_ends_with_escape(self, desktop: Console, api: HttpApi) -> None:
        add_people(api, ["Ada", "Grace"])
        desktop.open_people()
        desktop.page.get_by_role("button", name="Select", exact=True).click()
        desktop.page.get_by_role("button", name="Select all").click()
        expect(desktop.text("2 selected")).to_be_visible()

        desktop.page.keyboard.press("Escape")

        expect(desktop.text("2 selected")).to_be_hidden()
        expect(desktop.page.get_by_role("button", name="Select", exact=True)).to_be_focused()
        expect(desktop.page.locator(":checked:not(option)")).to_have_count(0)


class TestPerson:
    def test_all_pictures_and_one_larger(self, console: Console, api: HttpApi) -> None:
        add_people(api, ["Ada", "Grace", "Ada"])
        console.open_people()

        console.page.get_by_role("link", name="Ada").click()

        expect(heading(console, "Ada")).to_be_focused()
        expect(console.cards).to_have_count(2)
        expect(console.text("2 pictures")).to_be_visible()
        expect(console.page).to_have_title("Ada – Face search")
        console.page.get_by_role("button", name="Picture 1 of Ada", exact=True).click()
        expect(console.dialog).to_contain_text("Picture 1 of Ada")
        console.page.wait_for_function("() => document.querySelector('#viewer-picture img').naturalWidth > 0")
        console.dialog.get_by_role("button", name="Next picture").click()
        expect(console.dialog).to_contain_text("Picture 2 of Ada")
        console.page.keyboard.press("Escape")
        expect(console.page.get_by_role("button", name="Picture 2 of Ada", exact=True)).to_be_focused()

    def test_a_person_is_renamed(self, console: Console, api: HttpApi) -> None:
        add_people(api, ["Eileen Colins", "Eileen Colins"])
        console.open_people("Eileen Colins")

        console.page.get_by_role("button", name="Rename Eileen Colins").click()
        expect(console.dialog.locator("img")).to_have_count(1)
        console.dialog.get_by_label("Name").fill("Eileen Collins")
        console.dialog.get_by_role("button", name="Rename").click()

        expect(heading(console, "Eileen Collins")).to_be_visible()
        expect(console.cards).to_have_count(2)
        assert people_of(api) == {"Eileen Collins": 2}
        expect(console.page).to_have_url(re.compile("/people/Eileen%20Collins$"))

    def test_a_person_among_many_with_the_same_letters(self, desktop: Console, api: HttpApi) -> None:
        add_people(api, [f"Ada {number}" for number in range(100)] + ["Ada", "Ada"])
        desktop.open_people("Ada")
        expect(desktop.text("2 pictures")).to_be_visible()

        desktop.page.get_by_role("button", name="Rename Ada").click()
        desktop.dialog.get_by_label("Name").fill("Grace")
        desktop.dialog.get_by_role("button", name="Rename").click()

        expect(heading(desktop, "Grace")).to_be_visible()
        expect(desktop.cards).to_have_count(2)

    def test_a_name_that_somebody_has_merges_after_a_question(self, console: Console, api: HttpApi) -> None:
        add_people(api, ["Anna", "anna smith"])
        console.open_people("Anna")
        console.page.get_by_role("button", name="Rename Anna").click()
        console.dialog.get_by_label("Name").fill("Anna Smith")
        console.dialog.get_by_role("button", name="Rename").click()

        expect(console.dialog).to_contain_text("Anna and anna smith will be one person, Anna Smith.")
        expect(console.dialog.locator("img")).to_have_count(2)
        console.dialog.get_by_role("button", name="Cancel").click()
        expect(console.page.get_by_role("button", name="Rename Anna")).to_be_focused()
        assert people_of(api) == {"Anna": 1, "anna smith": 1}
        console.page.get_by_label("More for Anna").click()
        console.page.get_by_role("button", name="Merge with …").click()
        console.dialog.get_by_label("Name").fill("Anna Smith")
        console.dialog.get_by_role("button", name="Merge").click()
        console.dialog.get_by_role("button", name="Merge").click()

        expect(console.cards).to_have_count(2)
        assert people_of(api) == {"Anna Smith": 2}
        console.watch.forgive_refusals()

    def test_a_face_moves_to_somebody_who_is_suggested(self, console: Console, api: HttpApi) -> None:
        first, second, _ = add_people(api, ["Ada", "Ada", "Grace Hopper"])
        console.open_people("Ada")
        console.page.get_by_role("button", name="Picture 1 of Ada", exact=True).click()
        console.dialog.get_by_role("button", name="Move to …").click()
        console.dialog.get_by_label("Name").fill("hop")
        expect(console.page.locator("#known option")).to_have_attribute("value", "Grace Hopper")
        console.dialog.get_by_label("Name").fill("Grace Hopper")
        console.dialog.get_by_role("button", name="Move").click()

        expect(console.cards).to_have_count(1)
        expect(console.page.get_by_role("button", name="Picture 1 of Ada", exact=True)).to_be_focused()
        assert api.get(f"/faces/{first}").body["face_name"] == "Grace Hopper"
        assert api.get(f"/faces/{second}").body["face_name"] == "Ada"

    def test_a_face_becomes_the_cover(self, console: Console, api: HttpApi) -> None:
        _, second = add_people(api, ["Ada", "Ada"])
        console.open_people("Ada")
        console.page.get_by_role("button", name="Picture 2 of Ada", exact=True).click()

        console.dialog.get_by_role("button", name="Make cover").click()

        expect(console.notice).to_have_text("This picture is now the cover of Ada.")
        # The notice is above the dialog, for the eyes and for screen readers.
        console.page.wait_for_function(f"() => ({IN_FRONT})() === 'notice'")
        expect(console.dialog.locator("#said")).to_have_text("This picture is now the cover of Ada.")
        [person] = api.get("/people").body["people"]
        assert person["cover"] == second
        console.page.keyboard.press("Escape")
        expect(console.page.locator("#person-cover img")).to_have_attribute("data-token", second)

    def test_similar_faces(self, console: Console, api: HttpApi) -> None:
        token = api.added(ASTRONAUT, "First")
        api.added(pictures.jpeg(pictures.astronaut(), 70), "Second")
        console.open_people("First")
        console.page.get_by_role("button", name="Picture 1 of First", exact=True).click()

        console.dialog.get_by_role("button", name="Find similar").click()

        expect(console.dialog.locator(".matches li:not(.skeleton)")).to_have_count(1)
        expect(console.dialog).to_contain_text("Second")
        found = api.search(token, "2")
        expect(console.dialog).to_contain_text(words(found["cmp_result"][0]["distance"], found["thresholds"]))
        console.page.keyboard.press("Escape")
        expect(console.dialog.get_by_role("button", name="Find similar")).to_be_focused()

    def test_a_name_of_any_characters(self, desktop: Console, api: HttpApi) -> None:
        names = ["AC/DC", "..", "50 %", "a?b#c&d=e", "李 <b>"]
        add_people(api, names)
        for name in names:
            desktop.open_people()
            desktop.card(name).click()
            expect(heading(desktop, name)).to_be_visible()
            expect(desktop.cards).to_have_count(1)
            desktop.page.reload()
            expect(heading(desktop, name)).to_be_visible()

    def test_a_rename_that_takes_several_requests(self, deployed: Console, api: HttpApi, front: Gateway) -> None:
        add_people(api, ["Ada", "Ada"])
        deployed.open_people("Ada")
        replies = iter([{"name": "Grace", "renamed": 1, "done": False}])

        def interrupt(route: Route) -> None:
            reply = next(replies, None) if route.request.method == "PUT" else None
            route.fulfill(json=reply) if reply else route.fallback()

        deployed.page.route(re.compile("/people/Ada$"), interrupt)
        deployed.page.get_by_role("button", name="Rename Ada").click()
        deployed.dialog.get_by_label("Name").fill("Grace")
        deployed.dialog.get_by_role("button", name="Rename").click()

        expect(heading(deployed, "Grace")).to_be_visible()
        assert people_of(api) == {"Grace": 2}
        assert front.requests.count("PUT people/Ada") == 1

    def test_pictures_at_another_host(self, desktop: Console, api: HttpApi) -> None:
        api.added(ASTRONAUT, "Ada")
        crops = re.compile(r"https://faces\.s3\.eu-central-1\.amazonaws\.com/")
        served = []

        def serve(route: Route) -> None:
            served.append(route.request.header_value("x-api-key"))
            route.fulfill(body=ASTRONAUT, content_type="image/jpeg")

        def point(route: Route) -> None:
            reply = route.fetch()
            body = reply.json() | {"crop_url": "https://faces.s3.eu-central-1.amazonaws.com/a.jpg?X-Amz-Signature=1"}
            route.fulfill(response=reply, json=body)

        desktop.page.route(crops, serve)
        desktop.page.route(re.compile(r"/faces/\w{24}$"), point)
        desktop.open("people")

        desktop.page.wait_for_function("() => document.querySelector('.person img')?.naturalWidth > 0")
        assert served == [None]
        desktop.watch.hosts.discard("faces.s3.eu-central-1.amazonaws.com")
