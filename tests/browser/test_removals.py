"""A removal takes effect ten seconds later, or on leaving, unless it is undone."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, expect

from tests import pictures
from tests.browser.conftest import DESKTOP
from tests.browser.console import Console
from tests.browser.crowd import add_people, wait_until
from tests.browser.gateway import gateway
from tests.e2e.http_api import HttpApi

SECONDS_BEFORE = 9
SECONDS_AFTER = 2
ADA = re.compile(r"/people/Ada\?")
KEY = "a-key-of-forty-letters-and-digits-0123456"


def stop_the_clock(console: Console) -> None:
    """Let the page's time pass only where the test says so. The page must be open."""
    console.page.clock.pause_at(3600)


def open_still(console: Console, person: str = "", **terms: str) -> None:
    console.page.clock.install(time=0)
    console.open_people(person, **terms)
    stop_the_clock(console)


def remove_picture(console: Console, label: str) -> None:
    console.page.get_by_role("button", name=label, exact=True).click()
    console.dialog.get_by_role("button", name="Remove", exact=True).click()


def nothing_is_sent(console: Console) -> bool:
    """Return whether the page sends no removal in the next minute of its time."""
    sent = []
    console.page.on("request", lambda request: sent.append(request.method))
    console.page.clock.run_for(60_000)
    # The page sends this later than any removal.
    console.page.evaluate("async () => { await fetch('health'); }")
    return "GET" in sent and "DELETE" not in sent


def exists(api: HttpApi, token: str) -> bool:
    return api.get(f"/faces/{token}").status == 200


class TestUndo:
    def test_a_picture_is_put_back(self, console: Console, api: HttpApi) -> None:
        add_people(api, ["Ada"] * 3)
        open_still(console, "Ada")

        remove_picture(console, "Picture 2 of Ada")

        expect(console.cards).to_have_count(2)
        expect(console.text("2 pictures")).to_be_visible()
        expect(console.notice).to_contain_text("Removed a picture of Ada.")
        expect(console.page.get_by_role("button", name="Picture 3 of Ada", exact=True)).to_be_focused()
        console.page.clock.run_for(SECONDS_BEFORE * 1000)
        console.page.get_by_role("button", name="Undo: Removed a picture of Ada.").click()
        expect(console.cards).to_have_count(3)
        expect(console.page.get_by_role("button", name="Picture 2 of Ada", exact=True)).to_be_focused()
        expect(console.notice).to_have_count(0)
        assert nothing_is_sent(console)

    def test_a_person_is_put_back_with_the_keyboard_at_their_page(self, console: Console, api: HttpApi) -> None:
        add_people(api, ["Ada", "Ada", "Grace"])
        open_still(console, "Ada")
        console.page.get_by_label("More for Ada").click()

        console.page.get_by_role("button", name="Remove all pictures").click()

        expect(console.page.get_by_role("heading", name="People")).to_be_focused()
        expect(console.cards).to_have_count(1)
        expect(console.text("1 person")).to_be_visible()
        console.page.keyboard.press("Control+z")
        expect(console.page.get_by_role("heading", name="Ada")).to_be_focused()
        expect(console.cards).to_have_count(2)
        assert nothing_is_sent(console)

    def test_several_people_are_put_back(self, desktop: Console, api: HttpApi) -> None:
        add_people(api, ["Ada", "Grace", "Hedy"])
        open_still(desktop)
        desktop.page.get_by_role("button", name="Select", exact=True).click()
        desktop.card("Ada").click()
        desktop.card("Hedy").click()
        desktop.page.get_by_role("button", name="Remove", exact=True).click()
        expect(desktop.cards).to_have_count(1)
        expect(desktop.page.get_by_role("link", name="Grace")).to_be_focused()

        desktop.page.get_by_role("button", name="Undo: Removed all pictures of 2 people.").click()

        expect(desktop.cards).to_have_count(3)
        expect(desktop.page.get_by_role("link", name="Ada")).to_be_focused()

    def test_another_notice_keeps_the_button(self, desktop: Console, api: HttpApi) -> None:
        add_people(api, ["Ada"] * 2)
        open_still(desktop, "Ada")
        remove_picture(desktop, "Picture 1 of Ada")
        desktop.page.get_by_role("button", name="Picture 2 of Ada", exact=True).click()
        desktop.dialog.get_by_role("button", name="Make cover").click()
        expect(desktop.notice).to_contain_text("the cover of Ada. Removed a picture of Ada.")
        desktop.page.clock.run_for(SECONDS_BEFORE * 1000)
        expect(desktop.notice).not_to_contain_text("cover")

        # The dialog hides the rest of the page, but not the notice.
        desktop.dialog.get_by_role("button", name="Undo").click()

        desktop.page.keyboard.press("Escape")
        expect(desktop.cards).to_have_count(2)

    def test_the_grid_counts_without_the_removed_picture(self, desktop: Console, api: HttpApi) -> None:
        add_people(api, ["Ada"] * 3)
        open_still(desktop, "Ada")
        remove_picture(desktop, "Picture 1 of Ada")

        desktop.page.get_by_role("link", name="All people").click()

        expect(desktop.page.get_by_role("link", name="Ada 2 pictures")).to_be_visible()


class TestRemoval:
    def test_ten_seconds_later_a_picture_is_erased(self, console: Console, api: HttpApi) -> None:
        first, second = add_people(api, ["Ada", "Ada"])
        open_still(console, "Ada")
        remove_picture(console, "Picture 1 of Ada")
        console.page.clock.run_for(SECONDS_BEFORE * 1000)
        expect(console.notice).to_be_visible()
        assert exists(api, first)
        console.page.get_by_role("button", name="Undo").focus()

        console.page.clock.run_for(SECONDS_AFTER * 1000)

        expect(console.notice).to_have_count(0)
        expect(console.page.locator("main")).to_be_focused()
        wait_until(lambda: not exists(api, first))
        assert exists(api, second)

    def test_the_last_picture(self, desktop: Console, api: HttpApi) -> None:
        add_people(api, ["Ada"])
        open_still(desktop, "Ada")
        remove_picture(desktop, "Picture 1 of Ada")

        expect(desktop.text("There are no pictures of Ada in this face set.")).to_be_visible()
        expect(desktop.page.get_by_role("heading", name="Ada")).to_be_focused()
        desktop.page.clock.run_for(60_000)
        wait_until(lambda: api.get("/people").body["people"] == [])

    def test_another_removal_sends_the_one_before(self, desktop: Console, api: HttpApi) -> None:
        first, second, _ = add_people(api, ["Ada"] * 3)
        open_still(desktop, "Ada")
        remove_picture(desktop, "Picture 1 of Ada")
        remove_picture(desktop, "Picture 2 of Ada")

        wait_until(lambda: not exists(api, first))
        assert exists(api, second)

    def test_leaving_the_page_sends_it_with_the_key(self, browser: Browser, api: HttpApi) -> None:
        add_people(api, ["Ada", "Grace"])
        with gateway(api.url, KEY) as front, browser.new_context(**DESKTOP) as context:
            console = Console(context.new_page(), front.url)
            console.page.clock.install(time=0)
            console.open("people")
            console.dialog.get_by_label("Key").fill(KEY)
            console.page.keyboard.press("Enter")
            expect(console.cards).to_have_count(2)
            stop_the_clock(console)
            console.page.get_by_role("button", name="Select", exact=True).click()
            console.card("Ada").click()
            console.page.get_by_role("button", name="Remove", exact=True).click()
            expect(console.notice).to_be_visible()

            console.page.goto("about:blank")

            wait_until(lambda: [person["name"] for person in api.get("/people").body["people"]] == ["Grace"])

    def test_a_person_that_takes_several_requests(self, desktop: Console, api: HttpApi) -> None:
        add_people(api, ["Ada", "Grace"])
        replies = iter([{"name": "Ada", "removed": 1, "done": False}])
        desktop.page.route(
            ADA,
            lambda route: route.fulfill(json=reply) if (reply := next(replies, None)) else route.fallback(),
        )
        open_still(desktop)
        desktop.page.get_by_role("button", name="Select", exact=True).click()
        desktop.card("Ada").click()
        desktop.page.get_by_role("button", name="Remove", exact=True).click()
        with desktop.page.expect_response(lambda reply: bool(ADA.search(reply.url)) and reply.json()["done"]):
            desktop.page.clock.run_for(60_000)

        assert [person["name"] for person in api.get("/people").body["people"]] == ["Grace"]

    def test_many_removals_ask_before_the_page_closes(self, desktop: Console, api: HttpApi) -> None:
        add_people(api, ["Ada"] * 101)
        open_still(desktop, "Ada")
        for count in (96, 101):
            desktop.page.get_by_role("button", name="Show more").click()
            expect(desktop.cards).to_have_count(count)
        desktop.page.get_by_role("button", name="Select", exact=True).click()
        desktop.page.get_by_role("button", name="Select all").click()
        desktop.page.get_by_role("button", name="Remove", exact=True).click()
        expect(desktop.notice).to_contain_text("Removed 101 pictures of Ada.")

        with desktop.page.expect_event("dialog") as asked:
            desktop.page.close(run_before_unload=True)

        assert asked.value.type == "beforeunload"
        asked.value.dismiss()

    def test_a_removal_that_fails_is_put_back_and_tried_again(self, desktop: Console, api: HttpApi) -> None:
        first, _ = add_people(api, ["Ada", "Ada"])
        open_still(desktop, "Ada")
        desktop.page.route(re.compile(f"/faces/{first}$"), lambda route: route.abort())
        remove_picture(desktop, "Picture 1 of Ada")
        desktop.page.clock.run_for(60_000)

        expect(desktop.notice).to_contain_text("Could not remove a picture of Ada. The service cannot be reached.")
        expect(desktop.cards).to_have_count(2)
        desktop.page.unroute(re.compile(f"/faces/{first}$"))
        desktop.page.get_by_role("button", name="Retry").click()
        expect(desktop.cards).to_have_count(1)
        wait_until(lambda: not exists(api, first))
        desktop.watch.complaints.clear()

    def test_a_picture_that_somebody_else_removed(self, desktop: Console, api: HttpApi) -> None:
        first, _ = add_people(api, ["Ada", "Ada"])
        open_still(desktop, "Ada")
        remove_picture(desktop, "Picture 1 of Ada")
        api.remove(first)
        with desktop.page.expect_response(re.compile(f"/faces/{first}$")):
            desktop.page.clock.run_for(60_000)

        expect(desktop.cards).to_have_count(1)
        expect(desktop.notice).to_have_count(0)
        desktop.watch.forgive_refusals()


class TestFind:
    def test_a_face_of_the_picture_is_put_back(self, desktop: Console, api: HttpApi) -> None:
        name_the_astronaut(desktop)

        desktop.page.get_by_role("button", name="Remove Eileen from the face set").click()
        expect(desktop.chips).to_have_text("Who is this?")
        desktop.notice.get_by_role("button", name="Undo: Removed a picture of Eileen.").click()

        expect(desktop.chips).to_have_text("Eileen")
        expect(desktop.name_field).to_be_focused()
        assert nothing_is_sent(desktop)
        assert [face["face_name"] for face in api.get("/faces").body["faces"]] == ["Eileen"]

    def test_a_removed_face_of_the_picture_gets_another_name(self, desktop: Console, api: HttpApi) -> None:
        name_the_astronaut(desktop)

        desktop.page.get_by_role("button", name="Remove Eileen from the face set").click()
        with desktop.page.expect_response(re.compile("/identify$")):
            desktop.page.clock.run_for((SECONDS_BEFORE + SECONDS_AFTER) * 1000)
        assert api.get("/faces").body["faces"] == []
        desktop.name_face("Grace")

        assert [face["face_name"] for face in api.get("/faces").body["faces"]] == ["Grace"]

    def test_a_person_is_renamed_elsewhere(self, desktop: Console) -> None:
        desktop.open()
        desktop.choose(pictures.jpeg(pictures.astronaut()))
        desktop.name_face("Eileen")
        desktop.go("People")
        desktop.card("Eileen").click()
        desktop.page.get_by_role("button", name="Rename Eileen").click()
        desktop.dialog.get_by_label("Name").fill("Eileen Collins")
        desktop.dialog.get_by_role("button", name="Rename").click()
        expect(desktop.page.get_by_role("heading", name="Eileen Collins")).to_be_visible()

        desktop.go("Find")

        expect(desktop.chips).to_have_text("Eileen Collins")


def name_the_astronaut(console: Console) -> None:
    console.page.clock.install(time=0)
    console.open()
    console.choose(pictures.jpeg(pictures.astronaut()))
    console.name_face("Eileen")
    stop_the_clock(console)
