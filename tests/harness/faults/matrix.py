"""Applies every fault of every store to every request, and checks the answers and the recovery of the process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from typing import NamedTuple

from chalicelib.deadline import GATEWAY_SECONDS
from tests.e2e.api import Reply, tokens
from tests.harness.faults import faulty_aws
from tests.harness.faults.frail_service import FrailService
from tests.harness.faults.requests_under_fault import (
    MAX_REQUESTS_UNTIL_HEALED,
    NAMES,
    NEED,
    REQUESTS,
    Answered,
    Faces,
    Outcome,
    dishonest,
    done_before,
    timed,
)

# The delay of a store that repeatedly answers just in time.
SLOW_SECONDS = 4.0


class Case(NamedTuple):
    """A fault: its stores, its cause, and the requests that it affects."""

    stores: tuple[str, ...]
    fault: Callable[[FrailService], AbstractContextManager[object]]
    requests: tuple[str, ...] = NAMES


def _at(
    statement: str, act: str, *, answered: bool = False
) -> Callable[[FrailService], AbstractContextManager[object]]:
    def fault(service: FrailService) -> AbstractContextManager[object]:
        acts = {"break": service.line.break_all, "kill": service.mysql.kill}
        stack = ExitStack()
        if act == "kill":
            stack.callback(service.mysql.start)
        stack.enter_context(service.line.at(statement.encode(), acts[act], answered=answered))
        return stack

    return fault


def _aws(
    requests: str, fault: faulty_aws.Fault, *numbers: int
) -> Callable[[FrailService], AbstractContextManager[object]]:
    return lambda service: service.aws.fault(requests, fault, *numbers)


def _all_silent(service: FrailService) -> AbstractContextManager[object]:
    stack = ExitStack()
    stack.enter_context(service.line.silent())
    stack.enter_context(service.aws.fault(".*", faulty_aws.silent))
    return stack


def _all_slow(service: FrailService) -> AbstractContextManager[object]:
    stack = ExitStack()
    stack.enter_context(service.line.slow(SLOW_SECONDS))
    stack.enter_context(service.aws.fault(".*", faulty_aws.slow(SLOW_SECONDS)))
    return stack


WRITES = ("addface", "removeface", "delete_set")

CASES = {
    "MySQL stopped": Case(("mysql",), lambda service: service.mysql.stopped()),
    "MySQL restarted": Case(("mysql",), lambda service: service.mysql.restarted()),
    "MySQL frozen": Case(("mysql",), lambda service: service.mysql.frozen()),
    "MySQL slow": Case(("mysql",), lambda service: service.line.slow(SLOW_SECONDS)),
    "MySQL silent": Case(("mysql",), lambda service: service.line.silent()),
    "MySQL unreachable": Case(("mysql",), lambda service: service.line.cut()),
    "MySQL out of connections": Case(("mysql",), lambda service: service.mysql.out_of_connections()),
    "MySQL read-only": Case(("mysql",), lambda service: service.mysql.read_only()),
    "MySQL rows locked": Case(("mysql",), lambda service: service.mysql.rows_locked()),
    **{
        f"MySQL killed in {name}'s transaction": Case(("mysql",), _at(statement, "kill"), (name,))
        for name, statement in (
            ("addface", "INSERT INTO face_set_embedding"),
            ("removeface", "DELETE FROM face_set_embedding"),
            ("delete_set", "DELETE FROM face_set_embedding"),
            ("rename", "UPDATE face_set SET"),
        )
    },
    **{f"MySQL killed at {name}'s COMMIT": Case(("mysql",), _at("COMMIT", "kill"), (name,)) for name in WRITES},
    **{
        f"line broken in {name}'s transaction": Case(("mysql",), _at("UPDATE face_set_version", "break"), (name,))
        for name in WRITES
    },
    **{
        f"answer to {name}'s COMMIT lost": Case(("mysql",), _at("COMMIT", "break", answered=True), (name,))
        for name in WRITES
    },
    "DynamoDB unreachable": Case(("dynamodb",), lambda service: service.dynamodb.cut()),
    "DynamoDB silent": Case(("dynamodb",), _aws("dynamodb.*", faulty_aws.silent)),
    "DynamoDB throttled": Case(("dynamodb",), _aws("dynamodb.*", faulty_aws.throttled)),
    "DynamoDB broken": Case(("dynamodb",), _aws("dynamodb.*", faulty_aws.broken)),
    "DynamoDB hangs up": Case(("dynamodb",), _aws("dynamodb.*", faulty_aws.reset)),
    "DynamoDB's answers lost": Case(("dynamodb",), _aws("dynamodb.*", faulty_aws.lost)),
    "DynamoDB's answers cut off": Case(("dynamodb",), _aws("dynamodb.*", faulty_aws.cut_off)),
    "DynamoDB half done": Case(("dynamodb",), _aws("dynamodb.BatchWriteItem", faulty_aws.half_done)),
    "DynamoDB throttled once": Case((), _aws("dynamodb.*", faulty_aws.throttled, 1)),
    "S3 unreachable": Case(("s3",), lambda service: service.s3.cut()),
    "S3 silent": Case(("s3",), _aws("s3.*", faulty_aws.silent)),
    "S3 throttled": Case(("s3",), _aws("s3.*", faulty_aws.throttled)),
    "S3 broken": Case(("s3",), _aws("s3.*", faulty_aws.broken)),
    "S3 hangs up": Case(("s3",), _aws("s3.*", faulty_aws.reset)),
    "S3's answers lost": Case(("s3",), _aws("s3.*", faulty_aws.lost)),
    "S3's answers cut off": Case(("s3",), _aws("s3.*", faulty_aws.cut_off)),
    "S3 fails at the second crop": Case(("s3",), _aws("s3.PUT", faulty_aws.throttled, *range(2, 100)), ("detect",)),
    "S3 throttled once": Case((), _aws("s3.*", faulty_aws.throttled, 1)),
    "all stores silent": Case(("mysql", "dynamodb", "s3"), _all_silent),
    "all stores slow": Case(("mysql", "dynamodb", "s3"), _all_slow),
}


def run(service: FrailService, case: Case) -> Outcome:
    """Cause a fault, send all its requests at once, end it, and check every face."""
    outcome = Outcome()
    faces = Faces.prepared(service.client())
    before = service.stores.faces()
    replies: dict[str, Reply] = {}
    with case.fault(service), ThreadPoolExecutor(len(NAMES)) as executor:
        sent = {name: executor.submit(timed, service.client(), name, faces) for name in case.requests}
        for name, future in sent.items():
            replies[name], seconds = future.result()
            outcome.answers[name] = Answered(replies[name].status, seconds)
    service.aws.wait_until_idle()
    outcome.wrong += _dishonest(case, outcome, replies)
    answered = {name for name, reply in replies.items() if reply.status == 200}
    _compare(outcome, faces, before, service.stores.faces(), answered, set(case.requests))
    outcome.wrong += service.stores.violations()
    outcome.orphans = len(service.stores.orphans())
    for name in case.requests:
        if name not in answered:
            _repeat(service, name, faces, outcome)
    there = service.stores.faces()
    _compare(outcome, faces, before, there, set(case.requests), set(case.requests))
    outcome.wrong += _what_the_process_says(service, faces, there)
    service.stores.reconcile()
    outcome.wrong += [*service.stores.violations(), *(f"an orphan: {name}" for name in service.stores.orphans())]
    for token in there:
        service.client().remove(token)
    return outcome


def _dishonest(case: Case, outcome: Outcome, replies: Mapping[str, Reply]) -> list[str]:
    wrong = [told for name, reply in replies.items() for told in dishonest(name, reply)]
    for name, answer in outcome.answers.items():
        if answer.seconds >= GATEWAY_SECONDS:
            wrong.append(f"{name} took {answer.seconds:.1f} s")
        if answer.status != 200 and not any(name in NEED[store] for store in case.stores):
            wrong.append(f"{name} needs no failed store, but was answered {answer.status}")
    return wrong


def _compare(
    outcome: Outcome, faces: Faces, before: set[str], there: set[str], answered: set[str], sent: set[str]
) -> None:
    """Count the missing faces and the faces that should not exist."""
    coming = {faces.detected: "addface"}
    going = {faces.removed: "removeface", faces.in_set: "delete_set"}
    lost = {token for token, name in coming.items() if name in answered} - there
    lost |= {token for token in before if going.get(token) not in sent} - there
    resurrected = {token for token, name in going.items() if name in answered} & there
    resurrected |= there - before - {token for token, name in coming.items() if name in sent}
    outcome.lost += len(lost)
    outcome.resurrected += len(resurrected)


def _repeat(service: FrailService, name: str, faces: Faces, outcome: Outcome) -> None:
    """Repeat a request until the same process answers it correctly."""
    for number in range(1, MAX_REQUESTS_UNTIL_HEALED + 1):
        reply = REQUESTS[name](service.client(), faces)
        if reply.status == 200 or done_before(name, reply):
            outcome.healed_after = max(outcome.healed_after, number)
            return
    outcome.wrong.append(f"{name} is answered {reply.status} after the fault: {reply.text[:200]}")


def _what_the_process_says(service: FrailService, faces: Faces, there: set[str]) -> list[str]:
    """Return how the process's gallery and list differ from the rows."""
    client = service.client()
    listed = {
        face["face_token"]
        for face_set in client.get("/face_sets").body["face_sets"]
        for face in client.get("/faces", face_set=face_set["face_set"]).body["faces"]
    }
    found = {faces.kept, *tokens(client.search(faces.kept, threshold="9"))}
    wrong = [] if listed == there else [f"/faces differs from the rows by {listed ^ there}"]
    in_set = {faces.in_set} & there
    return wrong if found == there - in_set else [*wrong, f"/search differs from the rows by {found ^ there}"]
