import pytest

# For a test of several statements, or of one that its name does not carry: `@statement(27, 28)`.
statement = pytest.mark.statement
