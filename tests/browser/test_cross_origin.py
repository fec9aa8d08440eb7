"""A browser allows only pages from the configured origin to call the service."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser

from tests.e2e.http_api import HttpApi
from tests.e2e.local_stack import LocalStack, local_stack

CALL = """
async ([url, method]) => {
    try {
        const reply = await fetch(url, { method, headers: { "x-api-key": "key" } });
        return [reply.status, (await reply.json()).error_code ?? "none"];
    } catch (error) {
        return [error.name];
    }
}
"""


# Requests that a browser sends without a preflight. The page cannot read the answer, but the service gets the request.
SEND = """
async ([url, method, name]) => {
    const body = new FormData();
    body.append("face_set", name);
    await fetch(url, { method, mode: "no-cors", ...(method === "POST" ? { body } : {}) });
}
"""


def test_only_the_configured_origin(browser: Browser, sqlite_stack: LocalStack, api: HttpApi, tmp_path: Path) -> None:
    """One service allows the other's origin. JSON replies send the requests, because the page's policy forbids them."""
    origin = f"http://127.0.0.1:{sqlite_stack.port}"
    with local_stack(tmp_path / "state", CORS_ORIGIN=origin) as open_to_it:
        page = browser.new_page()
        page.goto(f"{origin}/health")
        there = f"http://127.0.0.1:{open_to_it.port}"

        assert page.evaluate(CALL, [f"{there}/info", "GET"]) == [200, "none"]
        assert page.evaluate(CALL, [f"{there}/faces/no", "DELETE"]) == [400, "1001"]

        page.goto(f"{there}/health")
        assert page.evaluate(CALL, [f"{origin}/info", "GET"]) == ["TypeError"]
        page.evaluate(SEND, [f"{origin}/face_sets", "POST", "foreign"])
        page.goto(f"http://localhost:{sqlite_stack.port}/health")
        page.evaluate(SEND, [f"{origin}/face_sets", "POST", "foreign"])
        page.evaluate(SEND, [f"http://localhost:{sqlite_stack.port}/face_sets", "POST", "own"])
        page.evaluate(SEND, [f"{origin}/info", "GET", ""])
        assert sqlite_stack.logs("GET /info 403")
        assert [counted["face_set"] for counted in api.get("/face_sets").body["face_sets"]] == ["default", "own"]
        assert page.evaluate(CALL, [f"{there}/info", "GET"]) == ["TypeError"]
        page.close()
