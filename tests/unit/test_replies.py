"""Replies carry the headers that their errors need."""

from __future__ import annotations

import pytest

from chalicelib import errors
from chalicelib.api import replies
from chalicelib.errors import ServiceError


@pytest.mark.parametrize("error", [errors.StoreUnavailableError(), errors.too_busy(), errors.took_too_long()])
def test_an_error_that_passes_says_when_to_try_again(error: ServiceError) -> None:
    assert replies.failure(error).headers["Retry-After"] == str(error.retry_after)


@pytest.mark.parametrize("error", [errors.internal_error(), errors.unknown_token()])
def test_an_error_that_stays_does_not_ask_to_try_again(error: ServiceError) -> None:
    assert "Retry-After" not in replies.failure(error).headers
