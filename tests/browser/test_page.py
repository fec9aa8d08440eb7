"""The page itself: its size, addresses, requests and API keys."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Browser, expect

from tests import pictures
from tests.browser.conftest import DESKTOP
from tests.browser.console import Console
from tests.browser.gateway import Gateway, gateway
from tests.e2e.http_api import HttpApi

ASTRONAUT = pictures.jpeg(pictures.astronaut())
MAX_FIRST_PAINT_BYTES = 130_000
FITS = "document.documentElement.scrollWidth <= innerWidth"
KEY = "a-key-of-forty-letters-and-digits-0123456"


class TestDocument:
    @pytest.mark.parametrize("path", ["/", "/upload"])
    def test_only_the_pages_own_scripts_run(self, api: HttpApi, path: str) -> None:
        reply = api.get(path)

        assert reply.status == 200
        assert reply.headers["content-type"] == "text/html; charset=utf-8"
        policy = dict(part.split(" ", 1) for part in reply.headers["content-security-policy"].split("; "))
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        [script] = re.findall(r"<script type=module>(.*?)</script>", reply.text, re.DOTALL)
        [style] = re.findall(r"<style>(.*?)</style>", reply.text, re.DOTALL)
        for text, allowed in ((script, policy["script-src"]), (style, policy["style-src"])):
            assert allowed == f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["referrer-policy"] == "no-referrer"
        assert reply.headers["permissions-policy"].startswith("camera=(self)")

    def test_a_cached_page_is_not_sent_again(self, api: HttpApi) -> None:
        etag = api.get("/").headers["etag"]

        again = requests.get(f"{api.url}/", headers={"If-None-Match": etag}, timeout=60)
        other = requests.get(f"{api.url}/", headers={"If-None-Match": '"other"'}, timeout=60)

        assert (again.status_code, again.content) == (304, b"")
        assert other.status_code == 200

    def test_first_paint_is_small(self, console: Console) -> None:
        console.open()
        console.page.wait_for_load_state("networkidle")

        assert console.watch.bytes_received < MAX_FIRST_PAINT_BYTES

    def test_nothing_is_wider_than_the_screen(self, console: Console, api: HttpApi) -> None:
        api.added(ASTRONAUT, "A name that is longer than any name has ever been, " + "W" * 60)
        console.open()
        console.choose(pictures.jpeg(pictures.astronaut(), 70))
        expect(console.matches).to_have_count(1)
        for view in ("Find", "People", "Add many", "Compare"):
            console.go(view)
            console.page.wait_for_timeout(300)
            assert console.page.evaluate(FITS), view
        console.go("People")
        console.cards.click()
        expect(console.page.get_by_role("button", name="Rename A name")).to_be_visible()
        assert console.page.evaluate(FITS)
        console.page.get_by_role("button", name="Picture 1 of A name").click()
        assert console.dialog.evaluate("dialog => dialog.scrollWidth <= dialog.clientWidth")


class TestPaths:
    @pytest.mark.parametrize("path", ["", "/", "/upload"])
    def test_the_page_below_a_stage_path(self, deployed: Console, front: Gateway, path: str) -> None:
        deployed.open(path=path)
        deployed.choose(ASTRONAUT)
        deployed.name_face("Eileen Collins")
        deployed.go("People")

        deployed.page.wait_for_function("() => document.querySelector('.person img')?.naturalWidth > 0")
        assert {"POST identify", "POST addface", "GET people"} <= set(front.requests)


class TestKey:
    @pytest.fixture
    def locked(self, browser: Browser, api: HttpApi) -> Iterator[Console]:
        with gateway(api.url, KEY) as front, browser.new_context(**DESKTOP) as context:
            console = Console(context.new_page(), front.url)
            yield console
            console.watch.forgive_refusals()
            assert console.watch.complaints == []

    def test_the_page_asks_for_the_key_uses_it_and_forgets_it(self, locked: Console) -> None:
        locked.open()
        locked.dialog.get_by_label("Key").fill("wrong")
        locked.page.keyboard.press("Enter")
        expect(locked.dialog.get_by_text("The service did not accept that key.")).to_be_visible()
        locked.dialog.get_by_label("Key").fill(KEY)
        locked.dialog.get_by_role("button", name="Use this key").click()

        locked.choose(ASTRONAUT)
        locked.name_face("Eileen Collins")
        locked.go("People")
        locked.page.wait_for_function("() => document.querySelector('.person img')?.naturalWidth > 0")
        assert locked.page.evaluate("[localStorage.length, document.cookie]") == [0, ""]
        assert KEY not in locked.page.content()

        locked.page.reload()
        expect(locked.page.locator(".person")).to_have_count(1)
        expect(locked.page.locator("dialog[open]")).to_have_count(0)
        other = Console(locked.page.context.new_page(), locked.url)
        other.open()
        expect(other.dialog.get_by_label("Key")).to_be_visible()

        locked.page.get_by_role("button", name="API key").click()
        locked.dialog.get_by_role("button", name="Forget the key").click()
        locked.page.reload()
        expect(locked.dialog.get_by_label("Key")).to_be_visible()

    def test_a_token_is_sent_as_a_bearer_and_its_limits_are_no_question(self, browser: Browser, api: HttpApi) -> None:
        token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"
        with gateway(api.url, None, token) as front, browser.new_context(**DESKTOP) as context:
            console = Console(context.new_page(), front.url)
            console.open()
            console.dialog.get_by_label("Key").fill(token)
            console.dialog.get_by_role("button", name="Use this key").click()
            console.choose(ASTRONAUT)
            console.name_field.fill("Eileen Collins")
            front.answer_next(403, "addface", 1)
            console.name_field.press("Enter")

            expect(console.alert).to_be_visible()
            expect(console.page.locator("dialog[open]")).to_have_count(0)

    def test_the_page_asks_for_the_key_once_for_many_pictures(self, locked: Console) -> None:
        locked.open("add")
        locked.dialog.get_by_role("button", name="Cancel").click()
        locked.add_many({f"{name}.jpg": ASTRONAUT for name in "abcdefgh"})
        locked.dialog.get_by_role("button", name="Cancel").click()

        expect(locked.page.get_by_role("heading", name="0 of 8 files can be added")).to_be_visible()
        expect(locked.page.locator("dialog[open]")).to_have_count(0)
        expect(locked.page.locator("#bulk-without-list")).to_contain_text("This service needs an API key.")
        expect(locked.text("8 pictures were not read.")).to_be_visible()

    def test_without_a_key(self, locked: Console) -> None:
        # Both requests are refused before the dialog closes. A request that was refused later would open it again.
        with (
            locked.page.expect_response(re.compile(r"/people\?")),
            locked.page.expect_response(re.compile(r"/face_sets$")),
        ):
            locked.open("people")
        locked.dialog.get_by_role("button", name="Cancel").click()

        expect(locked.alert).to_contain_text("This service needs an API key. Enter one with the key button at the top.")
