"""A short form of `python -m tests.harness.load.run`, and tests that its clients detect wrong answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.load.journal import Journal, Search
from tests.harness.load.run import load
from tests.harness.load.workers import workers
from tests.services import mysql_database


def test_clients_of_several_processes_get_right_answers(tmp_path: Path, mysql_server: int) -> None:
    with (
        mysql_database(mysql_server) as database,
        workers(2, tmp_path, f"mysql://root@127.0.0.1:{mysql_server}/{database}") as ports,
    ):
        found = load(ports, clients=8, seconds=3, seed=1, least_writes=5)

    assert found.wrong == []
    assert {200, 404} <= set(found.statuses) <= {200, 400, 404}
    assert sum(client.own_writes for client in found.clients) >= 8 * 5


@pytest.fixture
def journal() -> Journal:
    """The journal of one face that is added, renamed and removed, in this order."""
    journal = Journal()
    for name in ("Ada", "Grace", None):
        with journal.change("a", name):
            pass
    return journal


@pytest.mark.parametrize(
    ("after", "name", "right"),
    [
        (0, "Ada", False),
        (1, "Ada", True),
        (1, "Grace", False),
        (2, "Ada", False),
        (2, "Grace", True),
        (3, "Grace", False),
        (1, None, False),
        (2, None, False),
        (3, None, True),
    ],
)
def test_a_search_includes_changes_answered_before_it(
    journal: Journal, after: int, name: str | None, right: bool
) -> None:
    """Judge a search that finds the face under a name, or not at all, after the first `after` changes."""
    at = _between_changes(journal, after)
    matches = [] if name is None else [{"face_token": "a", "face_name": name}]

    assert (journal.faults(Search(matches, at, at), complete=True) == []) is right


def test_a_concurrent_search_may_see_any_of_the_changes(journal: Journal) -> None:
    asked, answered = _between_changes(journal, 0), _between_changes(journal, 3)

    assert journal.possible("a", asked, answered) == {None, "Ada", "Grace"}
    assert journal.count(asked, answered) == (0, 1)


def test_an_unanswered_change_may_happen_at_any_time(journal: Journal) -> None:
    with pytest.raises(TimeoutError), journal.change("b", "Mary"):
        raise TimeoutError
    later = _between_changes(journal, 3) + 1000

    assert journal.possible("b", later, later) == {None, "Mary"}


def _between_changes(journal: Journal, number: int) -> float:
    """Return a time after the first `number` changes of the face and before the next."""
    changes = journal.changes("a")
    if number == 0:
        return changes[0].asked - 1
    return changes[number - 1].answered
