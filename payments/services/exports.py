"""The books as files: every entry as CSV, all sums and entries as XLSX."""

import csv
from collections.abc import Iterable, Iterator
from decimal import Decimal
from io import BytesIO, StringIO
from itertools import chain
from typing import Any
from zoneinfo import ZoneInfo

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

from infrastructure import access
from payments.models import Terminal
from payments.services.book_entries import Selection, decimal_of, entries, with_terminal
from payments.services.reconciliation import Amounts, Books, Names, names_of
from tariffs.pricing.rounding import money

HEAD = (
    *("Booked at", "Operator", "Area", "EVSE", "Platform", "Network", "Terminal", "Authorization reference"),
    *("Session", "CDR", "Credit", "kWh", "Currency", "CDR total incl. VAT", "Billed", "Invoice", "Invoiced"),
    *("To be captured", "Captured", "Difference"),
)
SUMS_HEAD = (
    *("CDRs", "kWh", "CDR total incl. VAT", "Billed", "Invoiced", "To be captured", "Captured", "Difference"),
    *("Owed by the partner", "Open items"),
)
_COLUMNS = (
    *("created_at", "operator_id", "session__place", "session__peer_id", "session__network", "terminal_pk"),
    *("session__authorization_reference", "session__uid", "uid", "is_credit", "total_energy", "currency"),
    *("gross", "billed", "invoice__number", "invoiced", "expected", "captured"),
)
# What a spreadsheet takes for the beginning of a formula: partners choose their references, not we.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def entry_rows(selection: Selection, user: access.User, zone: ZoneInfo) -> Iterator[tuple[Any, ...]]:
    """One row per CDR, oldest first, in the order of `HEAD`; amounts are Decimals in money's decimals."""
    names = names_of()
    terminals = dict(Terminal.objects.values_list("pk", "terminal_id"))
    rows = with_terminal(entries(selection, user)).order_by("created_at", "pk").values(*_COLUMNS)
    for row in rows.iterator(chunk_size=1000):
        yield _entry(row, names, terminals, zone)


def _entry(row: dict[str, Any], names: Names, terminals: dict[int, str], zone: ZoneInfo) -> tuple[Any, ...]:
    place, peer_id = row["session__place"] or {}, row["session__peer_id"]
    currency = row["currency"]
    captured, expected = decimal_of(row["captured"]), decimal_of(row["expected"])
    number = row["invoice__number"] or ""
    return (
        row["created_at"].astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"),
        names.operators.get(row["operator_id"], "unknown"),
        place.get("name", ""),
        place.get("evse_id") or place.get("evse_uid", ""),
        names.platforms.get(peer_id, "unknown") if peer_id else "none",
        row["session__network"],
        terminals.get(row["terminal_pk"], "unknown") if peer_id else "",
        row["session__authorization_reference"],
        row["session__uid"],
        row["uid"],
        "yes" if row["is_credit"] else "no",
        row["total_energy"],
        currency,
        decimal_of(row["gross"]),
        money(decimal_of(row["billed"]), currency),
        number,
        money(decimal_of(row["invoiced"]), currency) if number else "",
        money(expected, currency),
        money(captured, currency),
        money(captured - expected, currency),
    )


def as_csv(rows: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    """Lines of a CSV file with a head; texts that a spreadsheet would compute are defused."""
    for row in chain([HEAD], rows):
        line = StringIO()
        csv.writer(line).writerow([_harmless(value) for value in row])
        yield line.getvalue()


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def as_xlsx(books: Books, rows: Iterable[tuple[Any, ...]]) -> bytes:
    book = Workbook(write_only=True)
    _sheet(book, "Summary", ("Operator", "Platform", "Network", "Currency", *SUMS_HEAD), _summary(books))
    _sheet(book, "Terminals", ("Terminal", "Platform", "Currency", *SUMS_HEAD), _terminals(books))
    _sheet(
        book,
        "VAT",
        ("Currency", "Rate %", "Net", "VAT", "Gross"),
        ((row.currency, "" if row.rate is None else row.rate, row.net, row.vat_amount, row.gross) for row in books.vat),
    )
    _sheet(
        book,
        "Payout",
        ("Platform", "Currency", "Captured", "Owed to us"),
        ((row.platform, row.currency, row.captured, row.owed) for row in books.payouts),
    )
    _sheet(
        book,
        "Other captures",
        ("Platform", "Currency", "Number", "Captured"),
        ((row.platform, row.currency, row.count, row.captured) for row in books.strays),
    )
    _sheet(book, "CDRs", HEAD, rows)
    content = BytesIO()
    book.save(content)
    return content.getvalue()


def _summary(books: Books) -> Iterator[tuple[Any, ...]]:
    for row in books.rows:
        yield (row.operator, row.platform, row.network, row.currency, *_sums(row.amounts))
    for currency, amounts in books.totals:
        yield ("All", "", "", currency, *_sums(amounts))


def _terminals(books: Books) -> Iterator[tuple[Any, ...]]:
    for row in books.terminals:
        yield (row.terminal, row.platform, row.currency, *_sums(row.amounts))


def _sums(amounts: Amounts) -> tuple[Any, ...]:
    return (
        amounts.cdrs,
        amounts.kwh,
        amounts.gross,
        amounts.billed,
        amounts.invoiced,
        amounts.expected,
        amounts.captured,
        amounts.difference,
        amounts.owed,
        amounts.open_items,
    )


def _sheet(book: Workbook, title: str, head: Iterable[str], rows: Iterable[tuple[Any, ...]]) -> None:
    sheet = book.create_sheet(title)
    sheet.append(list(head))
    for row in rows:
        sheet.append([_cell(sheet, value) for value in row])


def _cell(sheet: Any, value: Any) -> Any:
    if not isinstance(value, str):
        return value if isinstance(value, Decimal | int) else str(value)
    cell = WriteOnlyCell(sheet, value)
    cell.data_type = "s"  # a text, whatever it begins with
    return cell
