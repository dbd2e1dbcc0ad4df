"""The books as files: every entry as CSV, all sums and entries as XLSX."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from infrastructure import access
from payments.services import spreadsheets
from payments.services.book_entries import OPERATOR_ID, Selection, annotated, decimal_of, entries
from payments.services.reconciliation import Amounts, Books, Month, Names, OpenItem, names_of
from tariffs.pricing.rounding import money

HEAD = (
    *(
        _("Booked at"),
        _("Operator"),
        _("Area"),
        _("EVSE"),
        _("Platform"),
        _("Network"),
        _("Terminal"),
        _("Authorization reference"),
    ),
    *(
        _("Session"),
        _("CDR"),
        _("Credit"),
        _("kWh"),
        _("Currency"),
        _("CDR total incl. VAT"),
        _("Billed"),
        _("Invoice"),
        _("Invoiced"),
    ),
    *(_("To be captured"), _("Captured"), _("Difference"), _("Driver's price"), _("Factor"), _("Surcharge")),
)
SUMS_HEAD = (
    *(
        _("CDRs"),
        _("kWh"),
        _("CDR total incl. VAT"),
        _("Billed"),
        _("Invoiced"),
        _("To be captured"),
        _("Captured"),
        _("Difference"),
    ),
    *(_("Owed by the partner"), _("Open items"), _("Drivers' price")),
)
_COLUMNS = (
    *("created_at", "operator_id", "session__place", "session__peer_id", "session__network", "session__terminal_id"),
    *("session__authorization_reference", "session__uid", "uid", "is_credit", "total_energy", "currency"),
    *("gross", "billed", "invoice__number", "invoiced", "expected", "captured", "retail", "session__retail"),
)


def entry_rows(selection: Selection, user: access.User, zone: ZoneInfo) -> Iterator[tuple[Any, ...]]:
    """One row per CDR, oldest first, in the order of `HEAD`; amounts are Decimals in money's decimals."""
    names = names_of()
    rows = annotated(entries(selection, user)).annotate(operator_id=OPERATOR_ID)
    for row in rows.order_by("created_at", "pk").values(*_COLUMNS).iterator(chunk_size=1000):
        yield _entry(row, names, zone)


def _entry(row: dict[str, Any], names: Names, zone: ZoneInfo) -> tuple[Any, ...]:
    place, peer_id = row["session__place"] or {}, row["session__peer_id"]
    currency = row["currency"]
    captured, expected = decimal_of(row["captured"]), decimal_of(row["expected"])
    number, terms = row["invoice__number"] or "", row["session__retail"] or {}
    return (
        # A workbook holds no time zone; a spreadsheet sorts and filters by what it knows as a date.
        row["created_at"].astimezone(zone).replace(tzinfo=None, microsecond=0),
        names.operators.get(row["operator_id"], gettext("unknown")),
        place.get("name", ""),
        place.get("evse_id") or place.get("evse_uid", ""),
        names.platforms.get(peer_id, gettext("unknown")) if peer_id else gettext("none"),
        row["session__network"],
        (row["session__terminal_id"] or gettext("unknown")) if peer_id else "",
        row["session__authorization_reference"],
        row["session__uid"],
        row["uid"],
        gettext("yes") if row["is_credit"] else gettext("no"),
        -row["total_energy"] if row["is_credit"] else row["total_energy"],
        currency,
        decimal_of(row["gross"]),
        money(decimal_of(row["billed"]), currency),
        number,
        money(decimal_of(row["invoiced"]), currency) if number else "",
        money(expected, currency),
        money(captured, currency),
        money(captured - expected, currency),
        money(decimal_of(row["retail"]), currency),
        Decimal(terms["factor"]) if terms else "",
        money(Decimal(terms["surcharge"]), currency) if terms else "",
    )


def as_xlsx(
    books: Books, open_items: Iterable[OpenItem], months: Iterable[Month], rows: Iterable[tuple[Any, ...]]
) -> bytes:
    return spreadsheets.as_xlsx(
        [
            (_("Summary"), (_("Operator"), _("Platform"), _("Network"), _("Currency"), *SUMS_HEAD), _summary(books)),
            (_("Terminals"), (_("Terminal"), _("Platform"), _("Currency"), *SUMS_HEAD), _terminals(books)),
            (_("VAT"), (_("Currency"), _("Rate %"), _("Net"), _("VAT"), _("Gross")), _vat(books)),
            (_("Payout"), (_("Platform"), _("Currency"), _("Captured"), _("Owed to us")), _payouts(books)),
            (_("Other captures"), (_("Platform"), _("Currency"), _("Number"), _("Captured")), _strays(books)),
            (
                _("Open items"),
                (_("Reference"), _("Platform"), _("Currency"), _("Due"), _("Captured")),
                _open(open_items),
            ),
            (_("Months"), (_("Month"), _("Currency"), _("Billed"), _("Captured")), _months(months)),
            (_("CDRs"), HEAD, rows),
        ]
    )


def _open(items: Iterable[OpenItem]) -> Iterator[tuple[Any, ...]]:
    for one in items:
        yield (one.reference, one.platform, one.currency, one.due, one.captured)


def _months(months: Iterable[Month]) -> Iterator[tuple[Any, ...]]:
    for one in months:
        yield (f"{one.month:%Y-%m}", one.currency, one.billed, one.captured)


def _summary(books: Books) -> Iterator[tuple[Any, ...]]:
    for row in books.rows:
        yield (row.operator, row.platform, row.network, row.currency, *_sums(row.amounts))
    for currency, amounts in books.totals:
        yield (gettext("All"), "", "", currency, *_sums(amounts))


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
        amounts.retail,
    )


def _vat(books: Books) -> Iterator[tuple[Any, ...]]:
    for row in books.vat:
        yield (row.currency, "" if row.rate is None else row.rate, row.net, row.vat_amount, row.gross)


def _payouts(books: Books) -> Iterator[tuple[Any, ...]]:
    for row in books.payouts:
        yield (row.platform, row.currency, row.captured, row.owed)


def _strays(books: Books) -> Iterator[tuple[Any, ...]]:
    for row in books.strays:
        yield (row.platform, row.currency, row.count, row.captured)
