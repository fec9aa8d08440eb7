"""The function that tests a new version of the API's function before CodeDeploy gives it requests.

CodeDeploy invokes it with the ids of a deployment and waits for its verdict. It has no layers: Lambda's runtime
contains the SDK.

https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-hooks.html
"""

from __future__ import annotations

import logging
import os
from typing import Any

from chalicelib.release import health

log = logging.getLogger(__name__)


def check(event: dict[str, Any], _: object) -> str:
    """Test the version NEW_VERSION, an ARN; report the verdict to CodeDeploy and return it.

    Raises
    ------
    botocore.exceptions.ClientError
        When CodeDeploy does not take the verdict.
    """
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.session import get_session

    session = get_session()
    try:
        reason = health.failure(session.create_client("lambda"), os.environ["NEW_VERSION"])
    except (BotoCoreError, ClientError) as error:
        reason = f"the invocation failed: {type(error).__name__}"
    if reason:
        log.error("the new version failed its test: %s", reason)
    verdict = "Failed" if reason else "Succeeded"
    codedeploy: Any = session.create_client("codedeploy")
    codedeploy.put_lifecycle_event_hook_execution_status(
        deploymentId=event["DeploymentId"],
        lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
        status=verdict,
    )
    return verdict
