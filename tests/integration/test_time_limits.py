"""No request waits longer than API Gateway does: by the constants, and with stores that say nothing."""

from __future__ import annotations

import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ReadTimeoutError

from chalicelib import deadline
from chalicelib.errors import ServiceError
from chalicelib.stores.aws import sdk, tokens
from chalicelib.stores.database import base, mysql, pool, sqlite
from chalicelib.stores.database.connect import connect

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# S3's names have up to eight addresses, which are tried one after the other.
ADDRESSES = 8
# botocore waits so long for the answer to `Expect: 100-continue` (botocore.awsrequest.AWSConnection).
CONTINUE_SECONDS = 1
# botocore's standard mode: at most 2^(n - 1) s after the n-th attempt (botocore.retries.standard.ExponentialBackoff).
LONGEST_SDK_PAUSE = 2 ** (sdk.MAX_ATTEMPTS - 2)


def test_the_sum_of_all_waits_is_below_what_api_gateway_waits() -> None:
    """What is shortened ends with the request's time; what cannot be shortened may begin just before that."""
    overrun = max(
        LONGEST_SDK_PAUSE,
        tokens.LONGEST_BACKOFF_SECONDS,
        base.LONGEST_BACKOFF_SECONDS,
        sqlite.BUSY_TIMEOUT_SECONDS,
    )

    assert deadline.REQUEST_SECONDS + overrun < deadline.GATEWAY_SECONDS


def test_an_attempt_ends_within_what_is_expected_of_it() -> None:
    assert sdk.CONNECT_TIMEOUT_SECONDS * ADDRESSES <= sdk.ATTEMPT_SECONDS
    assert sdk.CONNECT_TIMEOUT_SECONDS + CONTINUE_SECONDS + sdk.READ_TIMEOUT_SECONDS <= sdk.ATTEMPT_SECONDS


def test_without_a_deadline_a_request_could_outlast_api_gateway() -> None:
    """Why there is one: three stores that hang one after the other, each within its own limits."""
    attempt = sdk.CONNECT_TIMEOUT_SECONDS + sdk.READ_TIMEOUT_SECONDS
    one_call = sdk.MAX_ATTEMPTS * attempt + sum(2**n for n in range(sdk.MAX_ATTEMPTS - 1))
    one_statement = pool.MAX_WAIT_SECONDS + 2 * mysql.READ_TIMEOUT_SECONDS

    assert 2 * one_call + one_statement > deadline.GATEWAY_SECONDS


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port of which connections are accepted, and nothing is ever answered."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield int(listener.getsockname()[1])


class TestTheDeadline:
    def test_waits_are_shortened_to_it(self) -> None:
        assert deadline.shortened(10) == 10
        with deadline.within(60):
            assert deadline.shortened(1) == 1
            assert 1 < deadline.shortened(100) <= 60
        assert deadline.shortened(10) == 10

    def test_after_it_nothing_is_waited_for(self) -> None:
        with deadline.within(0), pytest.raises(ServiceError) as raised:
            deadline.shortened(1)
        assert (raised.value.status, raised.value.retry_after) == (503, 2)

    def test_what_could_not_end_in_time_is_not_begun(self) -> None:
        deadline.expect(10)
        with deadline.within(60):
            deadline.expect(1)
            with pytest.raises(ServiceError):
                deadline.expect(100)

    def test_other_threads_have_it_when_they_are_given_it(self) -> None:
        with ThreadPoolExecutor(1) as executor:
            with deadline.within(60):
                carried = list(executor.map(deadline.carried(deadline.shortened), [100]))
            own = list(executor.map(deadline.shortened, [100]))
        assert carried[0] <= 60
        assert own == [100]


class TestMySQL:
    def test_a_server_that_says_nothing(self, silent_port: int) -> None:
        started = time.monotonic()
        with deadline.within(0.3), pytest.raises(ServiceError) as raised:
            connect(f"mysql://root@127.0.0.1:{silent_port}/faces").read("SELECT 1")
        assert raised.value.status == 503
        assert time.monotonic() - started < mysql.READ_TIMEOUT_SECONDS

    def test_a_statement_that_takes_too_long(self, mysql_server: int) -> None:
        quick = connect(f"mysql://root@127.0.0.1:{mysql_server}/mysql")
        quick.read("SELECT 1")
        started = time.monotonic()
        with deadline.within(0.3), pytest.raises(ServiceError) as raised:
            quick.read("SELECT SLEEP(8)")
        assert raised.value.status == 503
        assert time.monotonic() - started < 8
        assert quick.read("SELECT 2") == [(2,)]
        quick.close()

    def test_no_connection_that_becomes_free(self, tmp_path: Path) -> None:
        busy = connect(f"sqlite:///{tmp_path / 'busy.sqlite'}")
        together, done = threading.Barrier(pool.MAX_OPEN_CONNECTIONS + 1), threading.Event()

        def hold(_: int) -> None:
            with busy._pool.connection():
                together.wait()
                done.wait()

        with ThreadPoolExecutor(pool.MAX_OPEN_CONNECTIONS) as executor:
            holding = executor.map(hold, range(pool.MAX_OPEN_CONNECTIONS))
            together.wait()
            started = time.monotonic()
            with deadline.within(0.2), pytest.raises(ServiceError):
                busy.read("SELECT 1")
            assert time.monotonic() - started < pool.MAX_WAIT_SECONDS
            done.set()
            list(holding)
        busy.close()


def test_a_transaction_that_is_always_in_the_way_is_not_repeated_beyond_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_SECONDS", 0.1)
    file = tmp_path / "locked.sqlite"
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        time.sleep(0.2)

    mine = connect(f"sqlite:///{file}", sleep)
    mine.write(lambda transaction: transaction.execute("CREATE TABLE note (id INTEGER)"))
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with deadline.within(0.3), pytest.raises(ServiceError) as raised:
        mine.write(lambda transaction: transaction.execute("DELETE FROM note"))

    assert raised.value.status == 503
    assert len(slept) < base.MAX_CONFLICTS
    other.close()
    mine.close()


def counting_client() -> tuple[S3Client, list[object]]:
    """Return a client and what it has sent."""
    client, sent = sdk.client("s3"), []
    client.meta.events.register("before-send", lambda **given: sent.append(given["request"]))
    return client, sent


class TestAws:
    @pytest.fixture(autouse=True)
    def _environment(self, monkeypatch: pytest.MonkeyPatch, silent_port: int) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent_port}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def test_no_attempt_is_begun_that_could_not_end_in_time(self) -> None:
        s3, sent = counting_client()
        with deadline.within(sdk.ATTEMPT_SECONDS - 1), pytest.raises(ServiceError) as raised, sdk.faults_translated():
            s3.get_object(Bucket="crops", Key="a")
        assert (raised.value.status, raised.value.retry_after, len(sent)) == (503, 2, 0)

    def test_an_attempt_that_failed_is_not_repeated_beyond_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sdk, "READ_TIMEOUT_SECONDS", 0.2)
        s3, sent = counting_client()
        with pytest.raises(ReadTimeoutError):
            s3.get_object(Bucket="crops", Key="a")
        without = len(sent)
        sent.clear()
        # By a clock on which each attempt takes all that is expected of it, and nothing else takes any time.
        monkeypatch.setattr(deadline, "time", SimpleNamespace(monotonic=lambda: len(sent) * sdk.ATTEMPT_SECONDS))
        with deadline.within(1.5 * sdk.ATTEMPT_SECONDS), pytest.raises(ServiceError):
            s3.get_object(Bucket="crops", Key="a")

        assert (without, len(sent)) == (sdk.MAX_ATTEMPTS, 1)
