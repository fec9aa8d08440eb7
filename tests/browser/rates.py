"""What distances mean: in words, and under rates that a test needs."""

from __future__ import annotations

import re
from collections.abc import Mapping

from playwright.sync_api import Page, Route

# The packs differ in what was measured; where nothing was, the contract's reference is all there is.
REFERENCE = 0.65
WORDS = {
    "1e-4": "Very likely the same person",
    "1e-3": "Likely the same person",
    "1e-2": "Possibly the same person",
}


def words(distance: float, thresholds: Mapping[str, float]) -> str:
    """Return what the page says of a distance."""
    if distance == 0:
        return "The same picture"
    if not thresholds:
        near = distance <= REFERENCE
        return "Near enough, say the model's authors" if near else "Too far apart, say the model's authors"
    within = [rate for rate, threshold in thresholds.items() if distance <= threshold]
    return WORDS[min(within, key=float)] if within else "Probably someone else"


def answer_with(page: Page, thresholds: Mapping[str, float]) -> None:
    """Let the service's searches and what it tells of its model carry these thresholds, whatever pack it runs."""

    def search(route: Route) -> None:
        reply = route.fetch()
        route.fulfill(response=reply, json=reply.json() | {"thresholds": dict(thresholds)})

    def info(route: Route) -> None:
        reply = route.fetch()
        body = reply.json()
        body["model"]["thresholds"] = [
            {"fmr": float(rate), "distance": distance, "true_match_rate": 0.9, "data": "a test"}
            for rate, distance in thresholds.items()
        ]
        route.fulfill(response=reply, json=body)

    page.route(re.compile(r"/search\?"), search)
    page.route(re.compile(r"/info$"), info)
