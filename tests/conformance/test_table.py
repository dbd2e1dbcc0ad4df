"""The table in the documentation says what is tested, and nothing is left out."""

from tests.conformance.statements import STATEMENTS
from tests.conformance.table import DOCS, names_by_statement, with_table


def test_the_statements_are_complete() -> None:
    assert [one.number for one in STATEMENTS] == list(range(1, 137))


def test_every_statement_has_a_test_or_a_reason() -> None:
    shown = names_by_statement()
    assert [one.number for one in STATEMENTS if (one.number in shown) == bool(one.not_tested)] == []


def test_the_table_in_the_documentation_is_current() -> None:
    text = DOCS.read_text()
    assert text == with_table(text), "run python -m tests.conformance.table"
