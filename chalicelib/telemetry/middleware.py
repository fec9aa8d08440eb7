"""Logs each invocation of a deployed service and writes its metrics. Does nothing outside Lambda.

The metrics are those of `metrics.Metric`, in the namespace FaceSearch, with the dimensions `service` and `function`.
They need no API call: each request writes one line in CloudWatch's embedded metric format. The line also has the route,
the status and the request's ids; these are not dimensions, but can be searched for.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.metrics import EphemeralMetrics
from chalice.app import Chalice, Request, Response

from chalicelib import errors
from chalicelib.errors import ServiceError
from chalicelib.settings import SettingsError
from chalicelib.telemetry import logs, metrics
from chalicelib.telemetry.metrics import Metric
from chalicelib.vision.model_pack import ModelPackError

NAMESPACE = "FaceSearch"

log = logging.getLogger(__name__)

# Whether this process has already answered a request.
_warm = False


def observe(app: Chalice) -> None:
    """Observe all functions of the app. Call this before registering other middleware, to observe that too."""
    logs.configure()
    app.register_middleware(observe_request, "http")
    app.register_middleware(observe_function, "scheduled")
    app.register_middleware(observe_function, "pure_lambda")


def observe_request(request: Request | None, get_response: Callable[[Any], Response]) -> Response:
    """Chalice middleware: log a request's route, status and duration, and write its metrics."""
    if request is None or not logs.on_lambda():
        return get_response(request)
    route = f"{request.method} {request.context.get('resourcePath')}"
    ids = {"request_id": request.context.get("requestId"), "function_request_id": _id(request.lambda_context)}
    logs.begin_invocation(**ids, route=route)
    started = time.perf_counter()
    with metrics.collecting() as taken:
        if _starts_cold():
            metrics.measure(Metric.COLD_START, 1)
        response = get_response(request)
    code = response.body.get("error_code") if isinstance(response.body, dict) else None
    outcome = {"status": response.status_code, "error_code": code}
    log.info("answered", extra={**outcome, "duration_ms": _milliseconds_since(started)})
    _write(taken, {**ids, **outcome, "route": route})
    return response


def observe_function(event: Any, get_response: Callable[[Any], Any]) -> Any:
    """Chalice middleware for functions that do not answer requests: log the duration and errors.

    Lambda logs an error that leaves a function, and returns its message to the caller. Errors of other packages may
    quote the event, so a contract error replaces them.
    """
    if not logs.on_lambda():
        return get_response(event)
    ids = {"function_request_id": _id(event.context)}
    logs.begin_invocation(**ids, function=os.environ["AWS_LAMBDA_FUNCTION_NAME"])
    started = time.perf_counter()
    try:
        with metrics.collecting() as taken:
            result = get_response(event)
    except (ServiceError, SettingsError, ModelPackError):
        raise
    except Exception:
        log.exception("the function failed")
        raise errors.internal_error() from None
    log.info("done", extra={"duration_ms": _milliseconds_since(started)})
    _write(taken, ids)
    return result


def _starts_cold() -> bool:
    global _warm  # noqa: PLW0603  # a property of the process
    cold = not _warm and os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") != "provisioned-concurrency"
    _warm = True
    return cold


def _write(taken: metrics.Measures, properties: dict[str, Any]) -> None:
    """Write the metrics. Never raises, as the measured work is done and must be answered."""
    try:
        if taken:
            _write_metrics(taken, properties)
    except Exception:
        log.exception("the metrics could not be written")


def _write_metrics(taken: metrics.Measures, properties: dict[str, Any]) -> None:
    function = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
    written = EphemeralMetrics(namespace=NAMESPACE, service=logs.SERVICE, default_dimensions={"function": function})
    for metric, value in taken:
        name, unit = metric.value
        written.add_metric(name, unit, value)
    for name, value in properties.items():
        if value is not None:
            written.add_metadata(name, value)
    written.flush_metrics()


def _id(context: Any) -> str | None:
    return getattr(context, "aws_request_id", None)


def _milliseconds_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)
