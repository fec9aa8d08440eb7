"""Prepares a Lambda container before its first request, which would otherwise wait for this work."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Mapping

# Chalice's handler of the function that answers requests. Other functions need no networks, or different ones.
HANDLER = "app.app"

log = logging.getLogger(__name__)


def _prepares(environment: Mapping[str, str]) -> bool:
    return bool(environment.get("AWS_LAMBDA_FUNCTION_NAME")) and environment.get("_HANDLER") == HANDLER


# This module is imported first. Objects created until the container is ready stay alive, so collecting garbage among
# them would only waste time: a third of the time that creating the clients takes.
if _prepares(os.environ):
    gc.disable()


def prepare(environment: Mapping[str, str]) -> None:
    """On Lambda, load the networks and create the clients; elsewhere do nothing.

    Sends nothing to the stores. Failures are logged; each request then retries and answers 1003. A container that
    failed to start would only be restarted again and again.
    """
    if not _prepares(environment):
        return
    from chalicelib.wiring import wiring

    try:
        _ = wiring().active_pack.present
    except Exception:  # requests meet the same error and answer it
        log.exception("the container could not be prepared")
    finally:
        gc.freeze()
        gc.enable()
