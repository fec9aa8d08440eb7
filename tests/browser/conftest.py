"""Fixtures: a browser, and the console of a service with empty face sets."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.console import WAIT_MILLISECONDS, Console
from tests.browser.gateway import Gateway, gateway
from tests.conftest import absent
from tests.e2e.http_api import HttpApi
from tests.e2e.local_stack import LocalStack

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "has_touch": True}
DESKTOP: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"}
# The camera shows a moving test picture and is allowed without a prompt.
FLAGS = ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]


def chromium() -> str | None:
    """Return the path of Chromium; None if it is not installed. The headless shell needs a third less CPU time."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


# Package scope, not session scope, because its event loop would disturb other tests in this process.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    program = chromium()
    if program is None:
        absent("there is no Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS, timeout=2 * WAIT_MILLISECONDS)
        yield browser
        browser.close()


@pytest.fixture
def api(sqlite_stack: LocalStack) -> Iterator[HttpApi]:
    """A client of the service; all face sets are emptied after the test."""
    client = HttpApi(sqlite_stack.port)
    yield client
    client.remove_everything()
    client.session.close()


@pytest.fixture(params=["desktop", "phone"])
def console(request: pytest.FixtureRequest, browser: Browser, api: HttpApi) -> Iterator[Console]:
    """The console, with a desktop's light screen and with a phone's dark screen."""
    yield from _opened(browser, api.url, PHONE if request.param == "phone" else DESKTOP)


@pytest.fixture
def desktop(browser: Browser, api: HttpApi) -> Iterator[Console]:
    yield from _opened(browser, api.url, DESKTOP)


@pytest.fixture
def front(api: HttpApi) -> Iterator[Gateway]:
    """The service behind a gateway that requires no key."""
    with gateway(api.url) as front:
        yield front


@pytest.fixture
def deployed(browser: Browser, front: Gateway) -> Iterator[Console]:
    """The console behind that gateway, below the stage's path."""
    yield from _opened(browser, front.url, DESKTOP)


def _opened(browser: Browser, url: str, device: dict[str, Any]) -> Iterator[Console]:
    with browser.new_context(**device) as context:
        console = Console(context.new_page(), url)
        yield console
        assert console.watch.complaints == []
        assert console.watch.hosts <= {url.split("/")[2]}
