"""A Lambda function's environment in these tests."""

from __future__ import annotations

FUNCTION = "face-search-test"
TRACE = "1-67891233-abcdef012345678912345678"
