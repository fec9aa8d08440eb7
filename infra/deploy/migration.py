"""Migrates the database of a deployed stage to the schema that its code expects."""

from __future__ import annotations

import json
import socket
import sys
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import ClientError

from infra.deploy.account import CONFIG, Account, error_code
from infra.deploy.errors import DeployError

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

# A function runs at most 900 s. A retry could start a second migration while the first is running.
TIMEOUT_SECONDS = 910
INVOKE_CONFIG = Config(
    read_timeout=TIMEOUT_SECONDS, retries={"mode": "standard", "total_max_attempts": 1}, tcp_keepalive=True
)
# The invocation is silent until the function answers. Firewalls end a silent connection after minutes, NAT gateways
# after 350 s. Linux would send the first packet after two hours, and the SDK has no setting for that.
IDLE_SECONDS = 60
IDLE: int = getattr(socket, "TCP_KEEPALIVE" if sys.platform == "darwin" else "TCP_KEEPIDLE")


def migrate(account: Account, *, function: str, secret: str | None, stage: str) -> str:
    """Invoke the stage's function `migrate` and return its answer.

    Parameters
    ----------
    secret
        The ARN of the secret where RDS stores the master user's password. The function gets the password each time,
        and creates the service's own users if they are missing. The password is neither printed nor stored.

    Raises
    ------
    DeployError
        When the function fails.
    """
    event = {"administrator": _administrator(account, secret)} if secret else {}
    client = account.session.client("lambda", config=INVOKE_CONFIG)
    _keep_alive(client)
    payload = json.dumps(event)
    try:
        answer = client.invoke(FunctionName=function, Payload=payload)
    except ClientError as error:
        # A function loses its network interface after weeks without calls, and gets a new one at the next call.
        if error_code(error) not in ("ResourceConflictException", "ResourceNotReadyException"):
            raise
        client.get_waiter("function_active_v2").wait(FunctionName=function)
        answer = client.invoke(FunctionName=function, Payload=payload)
    body = answer["Payload"].read().decode()
    if "FunctionError" in answer:
        group = log_group(client, function)
        raise DeployError(
            f"the database was not migrated: {_reason(body)}. For details, run `aws logs tail {group} --since 15m "
            f"--region {account.region}`. The new code is deployed. Requests that need the new schema "
            f"are answered 503 until the migration succeeds: run `make deploy STAGE={stage}` again"
        )
    text: Any = json.loads(body)
    return text if isinstance(text, str) else "migrated"


def _keep_alive(client: Any) -> None:
    """Make a client's new connections send a packet whenever they have been silent for IDLE_SECONDS."""
    client._endpoint.http_session._socket_options.append((socket.IPPROTO_TCP, IDLE, IDLE_SECONDS))


def _administrator(account: Account, secret: str) -> dict[str, str]:
    client = account.session.client("secretsmanager", config=CONFIG)
    kept = json.loads(client.get_secret_value(SecretId=secret)["SecretString"])
    return {"user": kept["username"], "password": kept["password"]}


def log_group(client: LambdaClient, function: str) -> str:
    logging = client.get_function_configuration(FunctionName=function).get("LoggingConfig", {})
    return logging.get("LogGroup", f"/aws/lambda/{function}")


def _reason(body: str) -> str:
    try:
        answer: Any = json.loads(body)
    except ValueError:
        return body
    return f"{answer.get('errorType', 'an error')}: {answer.get('errorMessage', body)}"
