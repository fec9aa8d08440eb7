"""The service's errors, with its names and messages."""

from __future__ import annotations

from moto.core.exceptions import ServiceException


class ValidationRefusal(ServiceException):
    """400: the request violates the service's model, its limits or the index's settings."""

    code = "ValidationException"


class Conflict(ServiceException):  # the service's name
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
