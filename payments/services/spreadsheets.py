"""Tables as CSV and XLSX; texts that a spreadsheet would take for a formula are defused in both."""

import csv
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from io import BytesIO, StringIO
from itertools import chain
from typing import TYPE_CHECKING, Any

from django.utils import translation
from openpyxl import Workbook

from infrastructure.exchange.formats import harmless, in_cell

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

Table = tuple["StrOrPromise", Iterable["StrOrPromise"], Iterable[Iterable[Any]]]  # title, head, rows
# Of a sheet; spreadsheet programs take no more.
LONGEST_TITLE = 31


def as_csv(head: Iterable["StrOrPromise"], rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """The lines of the file, in the language of whoever asks: they are written after the view has ended.

    A mark before them tells spreadsheets that it is UTF-8; without, they show an umlaut as two strange letters.
    """
    return chain(["\ufeff"], _lines(chain([map(str, head)], rows), translation.get_language()))


def _lines(rows: Iterator[Iterable[Any]], language: str | None) -> Iterator[str]:
    while True:
        with translation.override(language):
            row = next(rows, None)
            if row is None:
                return
            line = StringIO()
            csv.writer(line).writerow([harmless(value) for value in row])
        yield line.getvalue()


def as_xlsx(tables: Iterable[Table]) -> bytes:
    book = Workbook(write_only=True)
    for title, head, rows in tables:
        sheet = book.create_sheet(str(title)[:LONGEST_TITLE])
        sheet.freeze_panes = "A2"
        sheet.append([str(text) for text in head])
        for row in rows:
            sheet.append([_cell(sheet, value) for value in row])
    content = BytesIO()
    book.save(content)
    return content.getvalue()


def _cell(sheet: Any, value: Any) -> Any:
    return in_cell(sheet, value if isinstance(value, str | Decimal | int | datetime) else str(value))
