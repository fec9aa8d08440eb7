"""The example page in docs/examples names people, from an origin that the service allows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import copytree
from threading import Thread
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.console import WAIT_MILLISECONDS, file
from tests.browser.page_watch import PageWatch
from tests.e2e import pictures
from tests.e2e.http_api import HttpApi
from tests.e2e.local_stack import ROOT, local_stack


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@contextmanager
def files_of(folder: Path) -> Iterator[str]:
    """Serve a folder, as `python3 -m http.server` does; yield the origin."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """The page, with Ada known to its service."""
    folder = tmp_path / "copy"
    copytree(ROOT / "docs" / "examples" / "javascript", folder)
    with files_of(folder) as origin, local_stack(tmp_path / "state", CORS_ORIGIN=origin) as stack:
        api = HttpApi(stack.port)
        api.added(pictures.drawing(), "Ada")
        api.session.close()
        html = (folder / "page.html").read_text()
        (folder / "page.html").write_text(html.replace("http://localhost:8000", f"http://127.0.0.1:{stack.port}"))
        page = browser.new_page()
        page.set_default_timeout(WAIT_MILLISECONDS)
        watch = PageWatch(page)
        page.goto(f"{origin}/page.html")
        yield page
        watch.forgive_refusals()
        assert watch.complaints == []
        page.close()


def test_the_page_names_the_people_in_a_picture_and_shows_errors(page: Page) -> None:
    chosen, status = page.get_by_label("Picture"), page.get_by_role("status")

    for content, shown in (
        (pictures.two_faces(), "Ada, unknown"),
        (pictures.cat(), "The picture shows no face."),
        (b"text", "Sorry: 1004: "),
    ):
        chosen.set_input_files(file(content))
        expect(status).to_contain_text(shown, timeout=WAIT_MILLISECONDS)
        expect(chosen).to_be_focused()

    assert Axe().run(page).response["violations"] == []
