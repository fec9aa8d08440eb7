"""What the service answers instead of a result: its errors' names and texts."""

from __future__ import annotations

from moto.core.exceptions import ServiceException


class ValidationRefusal(ServiceException):
    """400: the request is not as the service's model, its limits or the index would have it."""

    code = "ValidationException"


class Conflict(ServiceException):  # named as the service does
    code = "ConflictException"


class TooManyRequests(ServiceException):
    code = "TooManyRequestsException"
    message = "Please reduce your request rate."


class ServiceUnavailable(ServiceException):
    code = "ServiceUnavailableException"
    message = "Currently unable to handle the request"


class InternalServer(ServiceException):
    code = "InternalServerException"
    message = "We encountered an internal error. Please try again."
