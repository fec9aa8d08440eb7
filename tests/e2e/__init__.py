"""The whole service, from the outside."""

import pytest

# Their asserts are then explained as those of test files are.
pytest.register_assert_rewrite("tests.e2e.api", "tests.e2e.refusals", "tests.e2e.walk")
