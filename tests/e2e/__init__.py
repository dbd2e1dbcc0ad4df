import pytest

# Assertions outside of test modules, too, shall say what they found.
pytest.register_assert_rewrite("tests.e2e.admin_site", "tests.e2e.cast", "tests.e2e.settlement")
