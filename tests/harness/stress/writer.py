"""Changes the face set, keeps a journal, and searches for its own recent changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from chalicelib.errors import ServiceError
from chalicelib.faces import Terms
from chalicelib.stores.database.base import Database, Transaction
from chalicelib.stores.database.connect import connect
from chalicelib.stores.face_set.face_set import FaceSet
from tests.harness.stress import conditions
from tests.harness.stress.check import is_found
from tests.harness.stress.galleries import new_gallery, vector_parts
from tests.harness.stress.journal import Fate, Intent, Journal, Ledger, Operation
from tests.harness.stress.numbered_faces import embedding, face, set_id
from tests.harness.stress.plan import Fault, Plan
from tests.harness.stress.report import (
    ANSWER,
    IN_DOUBT,
    OWN_SEARCHES,
    OWN_WRITE,
    REFUSED,
    ROLLBACKS,
    TOOK_PLACE,
    Report,
)

MOST_TOGETHER = 6
_ADDITIONS = (Operation.ADD, Operation.UNDONE_ADD)
_UNDONE = (Operation.UNDONE_ADD, Operation.UNDONE_REMOVE)
_WEIGHTS = {Operation.ADD: 42, Operation.REMOVE: 36, Operation.UNDONE_ADD: 14, Operation.UNDONE_REMOVE: 8}

T = TypeVar("T")


def write(plan: Plan, name: str, number: int) -> None:
    """Make writer `number`'s share of the changes, continuing after a killed predecessor."""
    conditions.prepare(plan)
    conditions.delay_statements(plan.random(f"{name} delays"))
    report = Report(plan.folder, name)
    conditions.take_naps(plan.random(f"{name} naps"), report, every=8, longest=0.6)
    _Writer(plan, name, number, report).run()


class _RolledBackError(Exception):
    pass


class _RollingBack:
    """A database that runs all statements of a transaction, then rolls it back."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, work: Callable[[Transaction], T]) -> T:
        def work_in_vain(transaction: Transaction) -> T:
            work(transaction)
            raise _RolledBackError

        return self._database.write(work_in_vain)


class _Writer:
    def __init__(self, plan: Plan, name: str, number: int, report: Report) -> None:
        self._plan = plan
        self._number = number
        self._report = report
        self._random = plan.random(name)
        self._database = connect(plan.url)
        self._face_set = self._new_face_set()
        self._in_vain = FaceSet(cast(Database, _RollingBack(self._database)))
        self._gallery = new_gallery(self._database, plan, self._random, report)
        self._journal = Journal(plan.journal(number))
        self._ledger = Ledger([plan.journal(number)])

    def _new_face_set(self) -> FaceSet:
        """Return the service's face set, which applies changes to the vector index at once."""
        if not self._plan.vectors:
            return FaceSet(self._database)
        return FaceSet(self._database, changed=vector_parts(self._database, self._plan.vectors).try_at_once)

    def run(self) -> None:
        self._ledger.read()
        in_doubt = self._ledger.open[0]
        if in_doubt is not None and in_doubt.operation not in _UNDONE:
            self._report.count(IN_DOUBT)
            # Repeat, like a client without an answer; or give up, and leave the outcome in doubt.
            if self._random.random() < 0.6:
                self._carry_out(in_doubt, in_doubt=True)
        while self._ledger.answered < self._plan.quota(self._number):
            self._carry_out(self._any())

    def _any(self) -> Intent:
        operation = self._random.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        own = self._ledger.with_fate(Fate.THERE)
        if operation in _ADDITIONS or not own:
            operation = operation if operation in _ADDITIONS else Operation.ADD
            return Intent(operation, self._new_numbers(self._random.choice((1, 1, 1, MOST_TOGETHER))))
        # Choose the newest face as often as all others.
        return Intent(operation, (self._random.choice([own[-1], self._random.choice(own)]),))

    def _new_numbers(self, most: int) -> tuple[int, ...]:
        """Return numbers that no writer has used."""
        writers = self._plan.writers
        first = -(-max(len(self._ledger.fates()), 1) // writers) * writers + self._number
        left = self._plan.quota(self._number) - self._ledger.answered
        return tuple(first + i * writers for i in range(min(self._random.randint(1, most), left)))

    def _carry_out(self, intent: Intent, *, in_doubt: bool = False) -> None:
        self._journal.intend(*intent)
        changed, repeated = self._until_answered(intent)
        self._journal.done()
        self._ledger.read()
        if intent.operation in _UNDONE:
            self._report.count(ROLLBACKS)
        elif changed == 0 and (in_doubt or repeated):
            self._report.count(TOOK_PLACE)
        elif changed != len(intent.numbers):
            self._report.fail(ANSWER, intent.numbers, f"{intent.operation.value} changed {changed} faces")
        there = intent.operation in {Operation.ADD, Operation.UNDONE_REMOVE}
        for number in intent.numbers:
            found = self._gallery.search(embedding(number), Terms(0.0, 100, set_id=set_id(number)))
            if is_found(found, number) is not there:
                self._report.fail(OWN_WRITE, number, f"after {intent}")
            self._report.count(OWN_SEARCHES)

    def _until_answered(self, intent: Intent) -> tuple[int, bool]:
        """Return the number of changed faces, and whether the change took more than one try."""
        repeated = False
        while True:
            self._plan.check_time()
            try:
                return self._change(intent), repeated
            except _RolledBackError:
                return len(intent.numbers), repeated
            except ServiceError as error:
                if error.status != 503:
                    raise
                self._report.count(REFUSED)
                repeated = True

    def _change(self, intent: Intent) -> int:
        in_vain = intent.operation in _UNDONE
        if self._plan.fault is Fault.KEEPS_ROLLBACKS and intent.numbers[0] % 5 == 0:
            in_vain = False
        if self._plan.fault is Fault.FORGETS_CHANGES and intent.numbers[0] % 10 == 0:
            in_vain = True
        face_set = self._in_vain if in_vain else self._face_set
        faces = [face(number) for number in intent.numbers]
        if intent.operation not in _ADDITIONS:
            return face_set.remove(faces[0].token) == faces[0].crop
        return face_set.add(faces[0]) if len(faces) == 1 else face_set.add_many(faces)
