"""What a container of Lambda does before its first request, which would wait for it otherwise."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Mapping

# The function that answers requests, as Chalice names its handler. The others need no networks, or other ones.
HANDLER = "app.app"

log = logging.getLogger(__name__)


def _prepares(environment: Mapping[str, str]) -> bool:
    return bool(environment.get("AWS_LAMBDA_FUNCTION_NAME")) and environment.get("_HANDLER") == HANDLER


# This module is imported first. All that is made until the container is prepared stays: to look for garbage in it would
# take a third of the clients' time.
if _prepares(os.environ):
    gc.disable()


def prepare(environment: Mapping[str, str]) -> None:
    """On Lambda, load the networks and create the clients; do nothing anywhere else.

    No store is asked for anything. What fails is logged, and left to the requests, which try it again and answer with
    1003: a container that does not come up would only be started anew, again and again.
    """
    if not _prepares(environment):
        return
    from chalicelib.wiring import wiring

    try:
        _ = wiring().active_pack.present
    except Exception:  # whatever it is, the requests meet it again, and are answered
        log.exception("the container could not be prepared")
    finally:
        gc.freeze()
        gc.enable()
