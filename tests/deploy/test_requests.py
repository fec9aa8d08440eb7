"""Requests that moto does not support: what is sent, and how AWS's documented replies are handled."""

from __future__ import annotations

import json
import socket
import threading
from io import BytesIO
from typing import Any, cast

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber

from infra.deploy.account import Account
from infra.deploy.artifacts import ArtifactBucket
from infra.deploy.errors import DeployError
from infra.deploy.migration import IDLE, IDLE_SECONDS, migrate
from infra.deploy.versions import Versions

OWNER = "123456789012"


class Session:
    """Hands out one stubbed client."""

    def __init__(self, service: str, region: str) -> None:
        self.stubbed: Any = boto3.client(
            service,  # type: ignore[call-overload]  # one of several
            region_name=region,
            aws_access_key_id="a",
            aws_secret_access_key="b",
            endpoint_url=None,
        )

    def client(self, *_: Any, **__: Any) -> Any:
        return self.stubbed


@pytest.fixture(autouse=True)
def _aws_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)


def account(session: Session, region: str) -> Account:
    return Account(cast("Any", session), OWNER, "aws", region)


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_a_new_bucket_refuses_plain_http(region: str) -> None:
    session = Session("s3", region)
    name = f"face-search-artifacts-{OWNER}-{region}"
    owned = {"Bucket": name, "ExpectedBucketOwner": OWNER}
    place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "TlsOnly",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    }
    with Stubber(session.stubbed) as stub:
        stub.add_client_error("head_bucket", "404", expected_params=owned)
        stub.add_response("create_bucket", {}, {"Bucket": name} | place)
        stub.add_response("head_bucket", {"ResponseMetadata": {"HTTPStatusCode": 200}}, owned)
        stub.add_response("put_public_access_block", {}, owned | {"PublicAccessBlockConfiguration": ANY})
        stub.add_response("put_bucket_encryption", {}, owned | {"ServerSideEncryptionConfiguration": ANY})
        stub.add_response("put_bucket_policy", {}, owned | {"Policy": json.dumps(policy)})
        stub.add_response("put_bucket_lifecycle_configuration", {}, owned | {"LifecycleConfiguration": ANY})

        ArtifactBucket(account(session, region)).ensure()

        stub.assert_no_pending_responses()


def test_a_templates_url_has_the_form_that_cloudformation_accepts() -> None:
    bucket = ArtifactBucket(account(Session("s3", "eu-central-1"), "eu-central-1"))

    assert bucket.url("template-abc.json") == (
        f"https://s3.eu-central-1.amazonaws.com/face-search-artifacts-{OWNER}-eu-central-1/template-abc.json"
    )


def test_an_inactive_function_is_invoked_again_once_it_is_active() -> None:
    session = Session("lambda", "eu-central-1")
    invoked = {"FunctionName": "f", "Payload": "{}"}
    with Stubber(session.stubbed) as stub:
        stub.add_client_error("invoke", "ResourceConflictException", expected_params=invoked)
        stub.add_response("get_function", {"Configuration": {"State": "Active"}}, {"FunctionName": "f"})
        stub.add_response("invoke", {"Payload": body('"the schema is at version 3"')}, invoked)

        assert migrate(account(session, "eu-central-1"), function="f", secret=None, stage="dev") == (
            "the schema is at version 3"
        )


def test_an_inactive_version_is_asked_again_once_it_is_active() -> None:
    session = Session("lambda", "eu-central-1")
    asked = {"FunctionName": "f:7", "Payload": ANY}
    with Stubber(session.stubbed) as stub:
        stub.add_client_error("invoke", "ResourceConflictException", expected_params=asked)
        active = {"Configuration": {"State": "Active"}}
        stub.add_response("get_function", active, {"FunctionName": "f", "Qualifier": "7"})
        stub.add_response("invoke", {"Payload": body('{"statusCode": 200}')}, asked)

        assert Versions(account(session, "eu-central-1"), "f").failure("7") is None
        stub.assert_no_pending_responses()


def test_a_version_that_cannot_be_deleted_does_not_stop_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    session = Session("lambda", "eu-central-1")
    listed = [{"Version": version} for version in ("$LATEST", "8", "9", "10", "11")]
    with Stubber(session.stubbed) as stub:
        stub.add_response("list_versions_by_function", {"Versions": listed}, {"FunctionName": "f"})
        stub.add_client_error(
            "delete_function", "ResourceConflictException", expected_params={"FunctionName": "f", "Qualifier": "9"}
        )
        stub.add_response("delete_function", {}, {"FunctionName": "f", "Qualifier": "8"})

        Versions(account(session, "eu-central-1"), "f").prune({"11", "10"})

        stub.assert_no_pending_responses()
    assert "Version 9 of the API's function was not deleted: ResourceConflictException." in capsys.readouterr().out


def test_a_failed_migration_names_the_functions_log() -> None:
    session = Session("lambda", "eu-central-1")
    with Stubber(session.stubbed) as stub:
        failed = {"FunctionError": "Unhandled", "Payload": body('{"errorMessage": "timed out after 900 s"}')}
        stub.add_response("invoke", failed)
        stub.add_response("get_function_configuration", {"LoggingConfig": {"LogGroup": "face-search-MigrateLog"}})

        with pytest.raises(DeployError, match="aws logs tail face-search-MigrateLog --since") as caught:
            migrate(account(session, "eu-central-1"), function="f", secret=None, stage="dev")

    assert "an error: timed out after 900 s" in str(caught.value)


def body(text: str) -> StreamingBody:
    return StreamingBody(BytesIO(text.encode()), len(text))


def test_a_waiting_invocation_is_kept_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without packets, a NAT gateway ends the connection after 350 s, before a long migration answers."""
    seen: list[tuple[int, ...]] = []

    class Watched(socket.socket):
        def connect(self, address: Any) -> None:
            options = ((socket.SOL_SOCKET, socket.SO_KEEPALIVE), (socket.IPPROTO_TCP, IDLE))
            seen.append(tuple(self.getsockopt(*option) for option in options))
            super().connect(address)

    with socket.create_server(("127.0.0.1", 0)) as server:
        answering = threading.Thread(target=_answer, args=(server,))
        answering.start()
        monkeypatch.setattr(socket, "socket", Watched)
        session = boto3.Session("a", "b", region_name="eu-central-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        answer = migrate(Account(session, OWNER, "aws", "eu-central-1"), function="f", secret=None, stage="dev")
        answering.join()

    assert answer == "migrated now"
    assert seen == [(1, IDLE_SECONDS)]


def _answer(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(65_536)
        body = b'"migrated now"'
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body))
