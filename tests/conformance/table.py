"""Writes the conformance table into docs/ocpi.md: `python -m tests.conformance.table`."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.conformance.statements import STATEMENTS, Statement

HERE = Path(__file__).parent
DOCS = HERE.parent.parent / "docs" / "ocpi.md"
BEGIN, END = "<!-- conformance table: begin -->", "<!-- conformance table: end -->"
TITLE = "## Conformance\n"
INTRODUCTION = """\
What a CPO does by OCPI 2.2.1 and DirectPayment v1.9, and the tests that show it (`tests/conformance`): they drive a
running Plugtill over HTTP with a client, partners and a charger of their own; 65 to 78 ask the pricing engine. In
*italics*: what we chose where the specifications are silent or contradict each other. This part is written by
`python -m tests.conformance.table`.
"""


def names_by_statement() -> dict[int, list[str]]:
    """Names as "file::test", by the number in the name and by the numbers of `@statement`."""
    found: dict[int, list[str]] = defaultdict(list)
    for file in sorted(HERE.glob("test_*.py")):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for number in sorted({*_in_name(node.name), *_in_decorators(node)}):
                    found[number].append(f"{file.stem}::{node.name}")
    return dict(found)


def _in_name(name: str) -> Iterator[int]:
    match = re.match(r"test_(\d{3})_", name)
    if match:
        yield int(match[1])


def _in_decorators(node: ast.FunctionDef) -> Iterator[int]:
    for call in node.decorator_list:
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "statement":
            yield from (one.value for one in call.args if isinstance(one, ast.Constant) and isinstance(one.value, int))


def table() -> str:
    tests = names_by_statement()
    lines = [BEGIN, TITLE, INTRODUCTION]
    for area in dict.fromkeys(one.area for one in STATEMENTS):
        lines += [f"### {area}\n", "| | statement | test |", "|---|---|---|"]
        lines += [_row(one, tests.get(one.number, [])) for one in STATEMENTS if one.area == area]
        lines.append("")
    return "\n".join([*lines, END])


def _row(one: Statement, tests: list[str]) -> str:
    choice = f" *{one.choice}*" if one.choice else ""
    shown = f"not tested: {one.not_tested}" if one.not_tested else ", ".join(_link(name) for name in tests)
    return f"| {one.number} | {one.wording}{choice} | {shown} |"


def _link(name: str) -> str:
    file, test = name.split("::")
    return f"[{test.removeprefix('test_')}](../tests/conformance/{file}.py)"


def with_table(text: str) -> str:
    """The document with the table of now, at its markers or at its end."""
    if BEGIN not in text:
        return f"{text.rstrip()}\n\n{table()}\n"
    before, _, rest = text.partition(BEGIN)
    return before + table() + rest.partition(END)[2]


if __name__ == "__main__":
    DOCS.write_text(with_table(DOCS.read_text()))
