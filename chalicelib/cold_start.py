"""Prepares a Lambda container before its first request, which would otherwise wait for this work."""

from __future__ import annotations

import gc
import importlib
import logging
import os
from collections.abc import Mapping
from contextlib import suppress

# Chalice's handler of the function that answers requests. Other functions need no networks, or different ones.
HANDLER = "app.app"
# How Lambda says that it will take a snapshot of the container once everything is imported.
SNAPSHOT = "snap-start"

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
    if environment.get("AWS_LAMBDA_INITIALIZATION_TYPE") == SNAPSHOT:
        _prepare_restoring()


def _prepare_restoring() -> None:
    """Give each container that Lambda restores from the snapshot random numbers of its own.

    The SDK spreads its retries by them. Everything that must not be guessed comes from the kernel. The snapshot has no
    connections and no credentials, because nothing before it sends a request.
    """
    import random

    with suppress(ImportError):  # a runtime without snapshots
        importlib.import_module("snapshot_restore_py").register_after_restore(random.seed)
