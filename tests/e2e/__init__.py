"""End-to-end tests: the whole service, as its clients use it."""

import pytest

# pytest then explains failed asserts in these modules, as it does in test files.
pytest.register_assert_rewrite("tests.e2e.api", "tests.e2e.refusals", "tests.e2e.walk")
