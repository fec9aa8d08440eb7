"""Expected verdicts on distances, and thresholds with error rates that a test needs."""

from __future__ import annotations

import re
from collections.abc import Mapping

from playwright.sync_api import Page, Route

# A pack without measured rates has only the contract's reference distance.
REFERENCE = 0.65


def words(distance: float, thresholds: Mapping[str, float]) -> str:
    """Return the page's verdict on a distance, before the user moves the slider."""
    if distance == 0:
        return "The same picture"
    if distance <= thresholds.get("1e-4", -1):
        return "Very likely"
    return "Perhaps" if distance <= thresholds.get("1e-3", REFERENCE) else "Probably not"


def answer_with(page: Page, thresholds: Mapping[str, float], worst: Mapping[str, float] | None = None) -> None:
    """Put these thresholds into the replies of /search, /identify, /compare and /info, regardless of the pack.

    `worst` are the rates of the worst labelled set; by default the nominal rates.
    """
    of_the_worst = {rate: float(rate) for rate in thresholds} if worst is None else dict(worst)

    def found(route: Route) -> None:
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

    page.route(re.compile(r"/search\?|/(identify|compare)$"), found)
    page.route(re.compile(r"/info$"), info)
