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
        return "Close enough, say the model's authors" if near else "Too far apart, say the model's authors"
    within = [rate for rate, threshold in thresholds.items() if distance <= threshold]
    return WORDS[min(within, key=float)] if within else "Probably someone else"


def answer_with(page: Page, thresholds: Mapping[str, float], worst: Mapping[str, float] | None = None) -> None:
    """Let the service's searches, comparisons and what it says of its model carry these, whatever pack it runs.

    `worst` are the rates that the worst labelled set comes to; by default the nominal ones.
    """
    of_the_worst = {rate: float(rate) for rate in thresholds} if worst is None else dict(worst)

    def search(route: Route) -> None:
        reply = route.fetch()
        route.fulfill(
            response=reply,
            json=reply.json() | {"thresholds": dict(thresholds), "worst_false_match_rates": of_the_worst},
        )

    def info(route: Route) -> None:
        reply = route.fetch()
        body = reply.json()
        body["model"]["thresholds"] = [
            {
                "fmr": float(rate),
                "distance": distance,
                "true_match_rate": 0.9,
                "data": "a test",
                "false_match_rates": {},
                "worst_false_match_rate": of_the_worst[rate],
            }
            for rate, distance in thresholds.items()
        ]
        route.fulfill(response=reply, json=body)

    page.route(re.compile(r"/search\?|/compare$"), search)
    page.route(re.compile(r"/info$"), info)
