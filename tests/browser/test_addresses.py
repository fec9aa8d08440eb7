"""Every view, person, search and face set has an address, which reload, Back and a new tab keep."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.console import Console
from tests.browser.crowd import add_people
from tests.e2e.http_api import HttpApi


def scrolled(console: Console) -> int:
    return int(console.page.evaluate("Math.round(scrollY)"))


class TestPlace:
    def test_back_returns_to_the_row_and_the_scroll_position(self, console: Console, api: HttpApi) -> None:
        add_people(api, [f"Number {number}" for number in range(96)])
        console.open_people()
        console.page.get_by_role("button", name="Show more").click()
        expect(console.cards).to_have_count(96)
        console.card("Number 77").scroll_into_view_if_needed()
        place = scrolled(console)
        assert place > 0

        console.card("Number 77").click()
        expect(console.page.get_by_role("heading", name="Number 77")).to_be_visible()
        assert scrolled(console) == 0
        console.page.go_back()

        expect(console.cards).to_have_count(96)
        expect(console.page.get_by_role("link", name="Number 77")).to_be_focused()
        assert scrolled(console) == place
        console.page.reload()
        expect(console.cards).to_have_count(96)
        expect(console.page.get_by_role("link", name="Number 77")).to_be_focused()
        assert scrolled(console) == place

    def test_reload_and_a_new_tab_keep_the_person_and_the_face_set(self, console: Console, api: HttpApi) -> None:
        api.post("/face_sets", face_set="staff")
        add_people(api, ["Anna Smith"], face_set="staff")
        add_people(api, ["Ada"])
        console.open_people()
        console.page.locator("#face-set").select_option("staff")
        console.page.get_by_role("link", name="Anna Smith").click()
        expect(console.page).to_have_url(re.compile(r"#/people/Anna%20Smith\?set=staff$"))

        console.page.reload()
        expect(console.page.get_by_role("heading", name="Anna Smith")).to_be_visible()
        other = Console(console.page.context.new_page(), console.url)
        other.page.goto(console.page.url)
        expect(other.page.get_by_role("heading", name="Anna Smith")).to_be_visible()
        expect(other.cards).to_have_count(1)
        expect(other.page.locator("#face-set")).to_have_value("staff")
        other.go("Find")
        expect(other.page).to_have_url(re.compile(r"#/find\?set=staff$"))
        console.page.go_back()
        expect(console.page.get_by_role("link", name="Anna Smith")).to_be_visible()
        console.page.go_back()
        expect(console.page.locator("#face-set")).to_have_value("default")
        expect(console.page.get_by_role("link", name="Ada")).to_be_visible()

    def test_a_search_has_an_address_and_back_leads_to_everyone(self, console: Console, api: HttpApi) -> None:
        add_people(api, ["Ada", "Anna", "Joanna"])
        console.open_people()
        field = console.page.get_by_role("searchbox")
        field.fill("a")
        expect(console.page).to_have_url(re.compile("name=a$"))
        field.fill("ann")
        expect(console.page).to_have_url(re.compile("name=ann$"))
        expect(console.cards).to_have_count(2)

        console.page.reload()
        expect(console.cards).to_have_count(2)
        expect(field).to_have_value("ann")
        console.page.get_by_role("link", name="Joanna").click()
        expect(console.page.get_by_role("heading", name="Joanna")).to_be_visible()
        console.page.go_back()
        expect(console.cards).to_have_count(2)
        expect(console.page.get_by_role("link", name="Joanna")).to_be_focused()
        expect(field).to_have_value("ann")
        field.fill("joa")
        expect(console.cards).to_have_count(1)
        expect(field).to_be_focused()
        console.page.go_back()
        expect(console.cards).to_have_count(3)
        expect(field).to_have_value("")

    def test_a_renamed_person_is_not_left_in_the_history(self, desktop: Console, api: HttpApi) -> None:
        add_people(api, ["Ada"])
        desktop.open_people()
        desktop.card("Ada").click()
        desktop.page.get_by_role("button", name="Rename Ada").click()
        desktop.dialog.get_by_label("Name").fill("Augusta")
        desktop.dialog.get_by_role("button", name="Rename").click()
        expect(desktop.page.get_by_role("heading", name="Augusta")).to_be_visible()

        desktop.page.go_back()

        expect(desktop.page.get_by_role("link", name="Augusta")).to_be_visible()

    def test_the_skip_link_keeps_the_address(self, desktop: Console, api: HttpApi) -> None:
        add_people(api, ["Ada"])
        desktop.open_people()
        desktop.page.get_by_role("link", name="Skip to content").press("Enter")

        expect(desktop.page.locator("main")).to_be_focused()
        expect(desktop.page).to_have_url(re.compile("#/people$"))


class TestBadAddress:
    @pytest.mark.parametrize("address", ["#/nothing", "#/people/%E0%A4%A", "#/find/Ada", "#nothing"])
    def test_it_says_so_and_leads_back(self, desktop: Console, api: HttpApi, address: str) -> None:
        add_people(api, ["Ada"])
        desktop.page.goto(f"{desktop.url}/{address}")

        expect(desktop.page.get_by_role("heading", name="There is nothing at this address")).to_be_visible()
        desktop.page.get_by_role("link", name="All people").click()
        expect(desktop.cards).to_have_count(1)

    def test_a_person_whom_the_face_set_does_not_have(self, desktop: Console, api: HttpApi) -> None:
        add_people(api, ["Ada"])
        desktop.page.goto(f"{desktop.url}/#/people/Grace")

        expect(desktop.text("There are no pictures of Grace in this face set.")).to_be_visible()
        expect(desktop.page.get_by_role("button", name="Rename Grace")).to_be_hidden()
        desktop.page.get_by_role("link", name="All people").last.click()
        expect(desktop.cards).to_have_count(1)
        desktop.watch.forgive_refusals()

    def test_a_face_set_that_does_not_exist(self, desktop: Console, api: HttpApi) -> None:
        add_people(api, ["Ada"])
        desktop.page.goto(f"{desktop.url}/#/people?set=gone")

        expect(desktop.notice).to_have_text("There is no face set gone. This is the default one.")
        expect(desktop.page.locator("#face-set")).to_have_value("default")
        expect(desktop.cards).to_have_count(1)
        expect(desktop.page).to_have_url(re.compile("#/people$"))
        desktop.watch.forgive_refusals()
