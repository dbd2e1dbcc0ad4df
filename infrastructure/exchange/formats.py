"""CSV and XLSX as spreadsheets write and read them."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from io import BytesIO, StringIO
from itertools import islice
from typing import Any
from zipfile import ZipFile

import openpyxl
import tablib
from django.utils.translation import gettext_lazy as _
from import_export.formats import base_formats
from openpyxl.cell import WriteOnlyCell

# A dry run holds the database's write lock: more rows at once would let chargers wait.
MOST_ROWS = 2000
# No file of ours is as wide; a row is as long as its sheet says, and that may be 16,384 cells.
MOST_COLUMNS = 200
# What a spreadsheet takes for the beginning of a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
# An archive of a few kilobytes can unpack to gigabytes, and openpyxl reads a workbook's texts at once.
MOST_UNPACKED = 50 * 1024 * 1024

Row = Sequence[Any]


class UnreadableFile(ValueError):
    """In words for the person who uploaded it."""


def harmless(value: Any) -> Any:
    """A text that a spreadsheet would compute gets an apostrophe before it, as spreadsheets write it themselves."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _plain(text: str) -> str:
    """A cell as it was meant: without the apostrophe of `harmless` and the spaces around."""
    text = text.strip()
    return text[1:] if text[:1] == "'" and text[1:].startswith(FORMULA) else text


class CSVFile(base_formats.CSV):
    """UTF-8 with a mark, so that spreadsheets know; read with commas or semicolons, also in Windows' own letters."""

    def is_binary(self) -> bool:
        return True

    def get_read_mode(self) -> str:
        return "rb"

    def export_data(self, dataset: tablib.Dataset, **kwargs: Any) -> bytes:
        text = StringIO()
        writer = csv.writer(text)
        writer.writerow(dataset.headers)
        writer.writerows([_in_text(value) for value in row] for row in dataset)
        return text.getvalue().encode("utf-8-sig")

    def create_dataset(self, in_stream: bytes, **kwargs: Any) -> tablib.Dataset:
        try:
            text = in_stream.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = in_stream.decode("cp1252", errors="replace")
        if "\0" in text:
            raise UnreadableFile(_("This is no CSV file. Save it as CSV (UTF-8) or as .xlsx."))
        head = text.partition("\n")[0]
        delimiter = max(",;\t", key=head.count)
        try:
            return _dataset(csv.reader(StringIO(text, newline=""), delimiter=delimiter))
        except csv.Error as error:
            raise UnreadableFile(_("This is no CSV file. Save it as CSV (UTF-8) or as .xlsx.")) from error


def _in_text(value: Any) -> Any:
    return value.isoformat(" ") if isinstance(value, datetime) else harmless(value)


class XLSXFile(base_formats.XLSX):
    """The first sheet. Texts are written as texts, so that nothing is computed."""

    def export_data(self, dataset: tablib.Dataset, **kwargs: Any) -> bytes:
        book = openpyxl.Workbook(write_only=True)
        sheet = book.create_sheet(dataset.title or "Plugtill")
        sheet.freeze_panes = "A2"
        for row in (dataset.headers, *dataset):
            sheet.append([in_cell(sheet, value) for value in row])
        content = BytesIO()
        book.save(content)
        return content.getvalue()

    def create_dataset(self, in_stream: bytes, **kwargs: Any) -> tablib.Dataset:
        try:
            # Python unpacks no more of a file than its head in the archive tells.
            if sum(part.file_size for part in ZipFile(BytesIO(in_stream)).infolist()) > MOST_UNPACKED:
                raise UnreadableFile(_("This workbook is too large when unpacked. Split it into several."))
            book = openpyxl.load_workbook(BytesIO(in_stream), read_only=True, data_only=True)
            rows = book.worksheets[0].iter_rows(max_col=MOST_COLUMNS, values_only=True)
            return _dataset([_text(value) for value in row] for row in rows)
        except UnreadableFile:
            raise
        except Exception as error:  # whatever a broken archive makes openpyxl raise
            raise UnreadableFile(_("This is no Excel workbook. Save it as .xlsx or as CSV.")) from error


def in_cell(sheet: Any, value: Any) -> Any:
    """A text stays a text, whatever it begins with; what no workbook can hold is marked."""
    if not isinstance(value, str):
        return value
    cell = WriteOnlyCell(sheet, openpyxl.cell.cell.ILLEGAL_CHARACTERS_RE.sub("\N{REPLACEMENT CHARACTER}", value))
    cell.data_type = "s"
    return cell


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.12g}"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M}"
    return str(value)


def _dataset(rows: Iterable[Iterable[Any]]) -> tablib.Dataset:
    """Rows of texts, the first being the headers; as wide as these, empty rows kept: they count for a reader."""
    lines: Iterator[list[str]] = ([_plain(str(value)) for value in row] for row in rows)
    headers = _without_empty_end(next(lines, []))
    if not headers:
        raise UnreadableFile(_("The file is empty. Its first row must hold the names of the columns."))
    data = tablib.Dataset(headers=headers)
    body = list(islice(lines, MOST_ROWS + 1))
    while body and not any(body[-1]):
        body.pop()
    if len(body) > MOST_ROWS:
        raise UnreadableFile(_("The file has more than %(most)d rows. Split it into several.") % {"most": MOST_ROWS})
    for number, row in enumerate(body, 2):
        if any(row[len(headers) :]):
            values = {"row": number, "columns": len(headers)}
            text = _(
                "Row %(row)d has more cells than the %(columns)d named columns. "
                "Put texts and numbers that hold a comma in quotes."
            )
            raise UnreadableFile(text % values)
        data.append((row + [""] * len(headers))[: len(headers)])
    return data


def _without_empty_end(headers: list[str]) -> list[str]:
    while headers and not headers[-1]:
        headers.pop()
    return headers


FORMATS: dict[str, type[base_formats.TablibFormat]] = {"csv": CSVFile, "xlsx": XLSXFile}
