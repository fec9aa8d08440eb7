"""Sends thousands of hostile requests to `make run`'s server, to `chalice local`, and to the function.

`python -m tests.harness.hostile.requests --count 3000 --seed 1` sends 3000 to each, and prints the wrong answers. The
same seed gives the same requests. Exits with 1 if any answer was wrong.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from unittest import mock

from moto.server import ThreadedMotoServer

from chalicelib.stores.aws import sdk
from chalicelib.telemetry import logs
from tests.e2e import pictures
from tests.e2e.chalice_local import chalice_local
from tests.e2e.http_api import HttpApi
from tests.e2e.lambda_api import LambdaApi, lasting_handler
from tests.e2e.local_stack import local_stack
from tests.e2e.observed_lambda import FUNCTION
from tests.harness.hostile.requests.attacking import Outcome, attack_function, attack_server
from tests.services import free_port, mysql_database, mysql_port

SHOWN_FAILURES = 20


def make_run(count: int, seed: int) -> Outcome:
    with tempfile.TemporaryDirectory() as folder, local_stack(Path(folder, "state")) as stack:
        known = HttpApi(stack.port).added(pictures.astronaut(), "Ada")
        outcome = attack_server(stack.port, known, count=count, seed=seed)
        if "Traceback" in stack.log:
            outcome.failures.append(f"a traceback in the log: {stack.log}")
        return outcome


def chalices_own(count: int, seed: int) -> Outcome:
    moto_port = free_port()
    with (
        tempfile.TemporaryDirectory() as folder,
        local_stack(Path(folder, "state"), "stack", moto_port) as stack,
        chalice_local(Path(folder), f"sqlite:///{stack.state / 'face_set.sqlite'}", moto_port) as api,
    ):
        known = api.added(pictures.astronaut(), "Ada")
        port = int(api.url.rpartition(":")[2])
        return attack_server(port, known, count=count, seed=seed, chalices_own=True)


def function(count: int, seed: int) -> Outcome:
    with _function() as api:
        return attack_function(api.handle, api.added(pictures.astronaut(), "Ada"), count=count, seed=seed)


@contextmanager
def _function() -> Iterator[LambdaApi]:
    """The function in this process, as on Lambda, with MySQL; its log is discarded."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environment = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_LAMBDA_FUNCTION_NAME": FUNCTION,
        "NO_PROXY": "127.0.0.1",
    }
    with mock.patch.dict(os.environ, environment), mysql_port() as mysql, Path(os.devnull).open("w") as nowhere:
        if mysql is None:
            sys.exit("The function needs a MySQL server.")
        with mysql_database(mysql) as database, redirect_stdout(nowhere):
            logs.configure()
            url = f"mysql://root@127.0.0.1:{mysql}/{database}"
            with lasting_handler(sdk.client("dynamodb"), sdk.client("s3"), url) as api:
                yield api
    server.stop()


TARGETS: dict[str, Callable[[int, int], Outcome]] = {
    "make run": make_run,
    "chalice local": chalices_own,
    "function": function,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.harness.hostile.requests", description=__doc__)
    parser.add_argument("--count", type=int, default=3000, help="requests for each")
    parser.add_argument("--seed", type=int, default=1, help="another seed gives other requests")
    parser.add_argument("--only", choices=TARGETS, help="one target instead of all")
    options = parser.parse_args()
    failures = 0
    for name in [options.only] if options.only else TARGETS:
        outcome = TARGETS[name](options.count, options.seed)
        statuses = ", ".join(f"{count} of {status}" for status, count in sorted(outcome.statuses.items()))
        print(f"{name}: {outcome.requests} requests, {len(outcome.failures)} failures; answers: {statuses}", flush=True)  # noqa: T201
        for failure in outcome.failures[:SHOWN_FAILURES]:
            print(f"  {failure}")  # noqa: T201
        failures += len(outcome.failures)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
