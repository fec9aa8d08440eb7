"""Errors that may pass offer to try again, and the page notices when the service is back."""

from __future__ import annotations

import re

import numpy as np
from playwright.sync_api import expect

from tests import pictures
from tests.browser.console import Console
from tests.browser.crowd import add_people
from tests.e2e.http_api import HttpApi

LISTS = re.compile(r"/(people|face_sets)\b")


def open_without_service(console: Console) -> None:
    console.page.clock.install(time=0)
    console.page.route(LISTS, lambda route: route.abort())
    console.open("people")
    expect(console.alert).to_contain_text("The service cannot be reached.")
    # The jump is due for one more attempt to reach the service. It must fail before a test lets requests through.
    with console.page.expect_event("requestfailed", lambda request: "face_sets" in request.url):
        console.page.clock.pause_at(3600)


class TestRetry:
    def test_the_list_is_loaded_again(self, console: Console, api: HttpApi) -> None:
        add_people(api, ["Ada"])
        open_without_service(console)
        console.page.unroute(LISTS)

        console.alert.get_by_role("button", name="Retry").click()

        expect(console.cards).to_have_count(1)
        expect(console.alert).to_have_count(0)
        expect(console.page.get_by_role("heading", name="People")).to_be_focused()
        console.watch.complaints.clear()

    def test_an_error_that_stays_has_no_retry(self, desktop: Console) -> None:
        desktop.open()
        desktop.choose(b"text", "notes.txt", "text/plain")

        expect(desktop.alert).to_be_visible()
        expect(desktop.alert.get_by_role("button")).to_have_count(0)


class TestBack:
    def test_the_list_comes_back_by_itself(self, console: Console, api: HttpApi) -> None:
        add_people(api, ["Ada"])
        api.post("/face_sets", face_set="staff")
        open_without_service(console)
        console.page.clock.run_for(20_000)
        expect(console.alert).to_be_visible()
        console.page.unroute(LISTS)

        console.page.clock.run_for(20_000)

        expect(console.cards).to_have_count(1)
        expect(console.alert).to_have_count(0)
        expect(console.page.locator("#face-set option")).to_have_text(["default", "staff"])
        console.watch.complaints.clear()

    def test_a_change_waits_for_the_user(self, desktop: Console, api: HttpApi) -> None:
        add_people(api, ["Ada"])
        desktop.page.clock.install(time=0)
        desktop.open_people("Ada")
        desktop.page.clock.pause_at(3600)
        desktop.page.context.set_offline(True)
        desktop.page.get_by_role("button", name="Rename Ada").click()
        desktop.dialog.get_by_label("Name").fill("Grace")
        desktop.dialog.get_by_role("button", name="Rename").click()
        expect(desktop.alert).to_contain_text("The service cannot be reached.")

        # The browser says that the connection is back.
        desktop.page.context.set_offline(False)

        expect(desktop.alert).to_contain_text("The service is back.")
        assert api.get("/people").body["people"][0]["name"] == "Ada"
        desktop.alert.get_by_role("button", name="Retry").click()
        expect(desktop.page.get_by_role("heading", name="Grace")).to_be_visible()
        desktop.watch.complaints.clear()


def test_an_upload_shows_its_progress(desktop: Console) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (600, 600, 3), np.uint8)
    desktop.open()
    session = desktop.page.context.new_cdp_session(desktop.page)
    session.send("Network.enable")
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 20_000}
    session.send("Network.emulateNetworkConditions", slow)
    desktop.choose(pictures.jpeg(noise))

    bar = desktop.page.get_by_role("progressbar", name="Sent of the picture")
    expect(bar).to_be_visible()
    session.send("Network.emulateNetworkConditions", slow | {"uploadThroughput": -1})
    expect(desktop.text("No face found")).to_be_visible()
    expect(bar).to_be_hidden()
