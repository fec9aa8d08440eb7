"""Detects errors in the browser's console, page failures, and requests to other hosts."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from playwright.sync_api import Page, Response

# The browser's own message about a failed request, which some tests cause.
_REFUSED = re.compile(r"Failed to load resource: the server responded with a status of \d+")


class PageWatch:
    """Watches one page; `bytes_received` is the size of all bodies as sent."""

    def __init__(self, page: Page) -> None:
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        self.bytes_received = 0
        page.on("console", lambda message: self._complaint(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self._host(request.url))
        page.on("response", self._count)

    def forgive_refusals(self) -> None:
        self.complaints = [complaint for complaint in self.complaints if not _REFUSED.search(complaint)]

    def _complaint(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(f"{kind}: {text}")

    def _host(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("blob", "data"):
            self.hosts.add(parts.netloc)

    def _count(self, response: Response) -> None:
        if urlsplit(response.url).scheme not in ("blob", "data"):
            self.bytes_received += int(response.headers.get("content-length", "0"))
