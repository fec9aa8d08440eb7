"""Splits a query's results into pages: the query runs once, and its tokens page through the results."""

from __future__ import annotations

import json
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from infra.s3_vectors.refusals import ValidationRefusal
from infra.s3_vectors.stored_vectors import Near

RESULTS_PER_PAGE = 100
# Older queries' tokens become invalid. The service's tokens are valid for some minutes.
MAX_QUERIES_KEPT = 256

_SAME_ON_EVERY_PAGE = ("queryVector", "topK", "filter", "queryMode")


class Page(NamedTuple):
    results: list[Near]
    next_token: str | None


class QueryPages:
    """The pages of one index's queries. Safe to use from several threads at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queries: OrderedDict[str, tuple[str, list[Near]]] = OrderedDict()

    def page(self, parameters: Mapping[str, Any], answer: Callable[[], list[Near]]) -> Page:
        """Return the page that a request's parameters ask for. `answer` returns all results, nearest first.

        Raises
        ------
        ValidationRefusal
            When the token is not from this index, too old, or from another query.
        """
        asked = json.dumps([parameters.get(name) for name in _SAME_ON_EVERY_PAGE], sort_keys=True)
        token = parameters.get("nextToken")
        if token is None:
            query, start, results = secrets.token_urlsafe(24), 0, answer()
        else:
            query, start, results = self._follow(token, asked)
        end = start + RESULTS_PER_PAGE
        if end >= len(results):
            return Page(results[start:], None)
        self._keep(query, asked, results)
        return Page(results[start:end], f"{query}.{end}")

    def _follow(self, token: str, asked: str) -> tuple[str, int, list[Near]]:
        query, _, start = token.rpartition(".")
        with self._lock:
            kept = self._queries.get(query)
        if kept is None or kept[0] != asked or not start.isdecimal() or not 0 < int(start) < len(kept[1]):
            raise ValidationRefusal("Invalid nextToken")
        return query, int(start), kept[1]

    def _keep(self, query: str, asked: str, results: list[Near]) -> None:
        with self._lock:
            self._queries[query] = asked, results
            self._queries.move_to_end(query)
            while len(self._queries) > MAX_QUERIES_KEPT:
                self._queries.popitem(last=False)
