"""The page of the API's documentation."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import expect

from chalicelib.api.openapi.document import openapi
from tests import pictures
from tests.browser.console import Console
from tests.browser.test_accessibility import serious_problems
from tests.conftest import absent
from tests.e2e.http_api import HttpApi

OPERATIONS = {
    operation["operationId"]: f"{method.upper()} {path}"
    for path, operations in openapi()["paths"].items()
    for method, operation in operations.items()
    if method != "head"
}


class TestReference:
    def test_it_has_every_operation(self, console: Console) -> None:
        console.open(path="/docs")
        articles = console.page.get_by_role("article")

        expect(articles).to_have_count(len(OPERATIONS))
        headings = {one.inner_text().replace("\n", " ") for one in console.page.get_by_role("heading", level=3).all()}
        assert headings == set(OPERATIONS.values())
        assert console.page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    def test_an_operation_has_arguments_replies_errors_and_an_example(self, desktop: Console) -> None:
        desktop.open(path="/docs")
        identify = desktop.page.get_by_role("article", name="POST /identify")
        expect(identify).to_contain_text("Exactly one of these is required: image_file, image_base64.")
        expect(identify).to_contain_text("face_set string; default default – The face set to use.")
        expect(identify.get_by_text("same_person")).to_be_hidden()
        identify.get_by_text("Fields of the reply").click()
        expect(identify.get_by_text("same_person")).to_be_visible()
        identify.get_by_text("Errors").click()
        expect(identify.get_by_role("listitem").filter(has_text="1004 FIlE_ERROR").first).to_be_visible()

        search = desktop.page.get_by_role("article", name="GET /search")
        expect(search).to_contain_text("face_token in the query; string; required – The token of a face.")

    def test_the_keyboard_reaches_an_operation(self, desktop: Console) -> None:
        desktop.open(path="/docs")
        link = desktop.page.get_by_role("navigation").get_by_role("link", name="DELETE /faces/{face_token}")
        link.focus()
        desktop.page.keyboard.press("Enter")

        expect(desktop.page.get_by_role("article", name="DELETE /faces/{face_token}")).to_be_in_viewport()
        assert desktop.page.url.endswith("#delete_face")
        desktop.page.reload()
        expect(desktop.page.get_by_role("article", name="DELETE /faces/{face_token}")).to_be_in_viewport()

    @pytest.mark.parametrize(
        ("operation", "picture"),
        [("detect", True), ("search_by_picture", True), ("health", False), ("list_people", False)],
    )
    def test_an_example_can_be_run(self, desktop: Console, tmp_path: Path, operation: str, picture: bool) -> None:
        if shutil.which("curl") is None:
            absent("there is no curl")
        if picture:
            (tmp_path / "picture.jpg").write_bytes(pictures.jpeg(pictures.astronaut()))
        desktop.open(path="/docs")
        command = desktop.page.locator(f"#{operation} pre").inner_text()

        ran = subprocess.run(["sh", "-c", f"{command} --noproxy '*'"], cwd=tmp_path, capture_output=True, check=True)

        assert json.loads(ran.stdout).get("error_code") is None

    def test_a_document_that_cannot_be_loaded(self, desktop: Console) -> None:
        desktop.page.route("**/openapi.json", lambda route: route.abort())
        desktop.open(path="/docs")

        expect(desktop.page.get_by_role("alert")).to_contain_text("The documentation could not be loaded.")
        desktop.watch.complaints.clear()

    def test_axe_finds_nothing_serious(self, console: Console) -> None:
        console.open(path="/docs")
        expect(console.page.get_by_role("article")).to_have_count(len(OPERATIONS))
        console.page.get_by_text("Fields of the reply").first.click()

        assert serious_problems(console) == []

    def test_only_the_pages_own_script_runs(self, api: HttpApi) -> None:
        reply = api.get("/docs")

        policy = dict(part.split(" ", 1) for part in reply.headers["content-security-policy"].split("; "))
        [script] = re.findall(r"<script type=module>(.*?)</script>", reply.text, re.DOTALL)
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
