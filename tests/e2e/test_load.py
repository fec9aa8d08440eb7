"""The short form of `python -m tests.harness.load.run`, and that its clients tell when an answer is wrong."""

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
    """Of one face, which is added, renamed and removed, in this order."""
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
def test_a_search_finds_what_was_answered_before_it(
    journal: Journal, after: int, name: str | None, right: bool
) -> None:
    """`after` so many of the changes, a search finds the face under a name, or not at all."""
    at = _between_changes(journal, after)
    matches = [] if name is None else [{"face_token": "a", "face_name": name}]

    assert (journal.faults(Search(matches, at, at), complete=True) == []) is right


def test_a_search_beside_changes_may_see_any_of_them(journal: Journal) -> None:
    asked, answered = _between_changes(journal, 0), _between_changes(journal, 3)

    assert journal.possible("a", asked, answered) == {None, "Ada", "Grace"}
    assert journal.count(asked, answered) == (0, 1)


def test_a_change_without_an_answer_may_come_at_any_time(journal: Journal) -> None:
    with pytest.raises(TimeoutError), journal.change("b", "Mary"):
        raise TimeoutError
    later = _between_changes(journal, 3) + 1000

    assert journal.possible("b", later, later) == {None, "Mary"}


def _between_changes(journal: Journal, number: int) -> float:
    """Return a time after so many of the face's changes and before the next."""
    changes = journal.changes("a")
    if number == 0:
        return changes[0].asked - 1
    return changes[number - 1].answered
