"""Closing the books: sums of CDRs, invoices and captures of a period, added up by the database."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import TruncMonth, Upper

from chargers.models import CDR
from infrastructure import access
from infrastructure.models import Operator
from payments.choices import CaptureStatusCode
from payments.models import FinancialAdviceConfirmation, Invoice, Terminal
from payments.services.book_entries import SUMS, Selection, decimal_of, entries, rounded, units, with_terminal
from payments.services.vat_sums import VatRow, vat_sums
from roaming.choices import PlatformType
from roaming.models import RoamingPlatform

# A payment is open when what was captured is not what all CDRs of its session amount to.
IS_OPEN = Q(is_first=True, is_payable=True) & ~Q(due=F("captured"))
LISTED = 100


@dataclass(frozen=True, slots=True)
class Amounts:
    """`difference` is what was captured beyond what was to be captured; negative: still missing."""

    cdrs: int
    kwh: Decimal
    gross: Decimal
    billed: Decimal
    invoiced: Decimal
    captured: Decimal
    expected: Decimal
    owed: Decimal
    open_items: int

    @property
    def difference(self) -> Decimal:
        return self.captured - self.expected


@dataclass(frozen=True, slots=True)
class Row:
    operator: str
    platform: str
    network: str
    currency: str
    amounts: Amounts


@dataclass(frozen=True, slots=True)
class TerminalRow:
    terminal: str
    platform: str
    currency: str
    amounts: Amounts


@dataclass(frozen=True, slots=True)
class Payout:
    """What a partner owes us: what it captured for us, or, where it sells to the driver itself, what our CDRs say."""

    platform: str
    currency: str
    captured: Decimal
    owed: Decimal


@dataclass(frozen=True, slots=True)
class StrayRow:
    """Captured for no CDR of ours, or in another currency than its CDR: counted nowhere else."""

    platform: str
    currency: str
    count: int
    captured: Decimal


@dataclass(frozen=True, slots=True)
class Month:
    month: datetime
    currency: str
    billed: Decimal
    captured: Decimal


@dataclass(frozen=True, slots=True)
class OpenItem:
    cdr_id: int
    session_id: int
    reference: str
    platform: str
    currency: str
    due: Decimal
    captured: Decimal


@dataclass(frozen=True, slots=True)
class Books:
    rows: Sequence[Row]
    totals: Sequence[tuple[str, Amounts]]
    terminals: Sequence[TerminalRow]
    vat: Sequence[VatRow]
    payouts: Sequence[Payout]
    strays: Sequence[StrayRow]
    open_items: Sequence[OpenItem]


@dataclass(frozen=True, slots=True)
class Names:
    operators: dict[int, str]
    platforms: dict[str, str]  # by peer id
    platform_names: dict[int, str]


def books(selection: Selection, user: access.User) -> Books:
    """Everything about a period in a fixed number of queries."""
    rows = entries(selection, user)
    names = names_of()
    groups = list(_groups(rows, names))
    return Books(
        rows=groups,
        totals=_totals(groups),
        terminals=list(_by_terminal(rows, names)),
        vat=vat_sums(Invoice.objects.filter(cdr__in=rows.order_by().values("pk"))),
        payouts=_payouts(groups),
        strays=list(_strays(selection, user, names)),
        open_items=list(_open_items(rows, names)),
    )


def names_of() -> Names:
    """Of all operators and platforms: installations have few."""
    platforms = list(RoamingPlatform.objects.values_list("pk", "peer_id", "name"))
    return Names(
        operators=dict(Operator.objects.values_list("pk", "name")),
        platforms={peer_id: name for _, peer_id, name in platforms},
        platform_names={pk: name for pk, _, name in platforms},
    )


def _sums(rows: QuerySet[CDR], *keys: str) -> Iterable[dict[str, Any]]:
    grouped = rows.order_by().values(*keys)
    sums: Iterable[dict[str, Any]] = grouped.annotate(
        cdrs=Count("pk"),
        kwh_units=Sum(units("total_energy"), filter=Q(is_credit=False, credited_at=None)),
        open_items=Count("pk", filter=IS_OPEN),
        **{f"sum_{name}": value for name, value in SUMS.items()},
    ).order_by(*keys)
    return sums


def _amounts(row: dict[str, Any]) -> Amounts:
    sums = {name: decimal_of(row[f"sum_{name}"]) for name in SUMS}
    return Amounts(cdrs=row["cdrs"], kwh=decimal_of(row["kwh_units"]), open_items=row["open_items"], **sums)


def _groups(rows: QuerySet[CDR], names: Names) -> Iterable[Row]:
    for row in _sums(rows, "operator_id", "session__peer_id", "session__network", "currency"):
        yield Row(
            operator=names.operators.get(row["operator_id"], "unknown"),
            platform=_platform(row["session__peer_id"], names),
            network=row["session__network"],
            currency=row["currency"],
            amounts=_amounts(row),
        )


def _platform(peer_id: str, names: Names) -> str:
    return names.platforms.get(peer_id, "unknown") if peer_id else "none"


def _totals(groups: Sequence[Row]) -> Sequence[tuple[str, Amounts]]:
    """Per currency."""
    currencies = sorted({row.currency for row in groups})
    return [(one, add(row.amounts for row in groups if row.currency == one)) for one in currencies]


def add(parts: Iterable[Amounts]) -> Amounts:
    rows = list(parts)
    names = ("cdrs", "kwh", "gross", "billed", "invoiced", "captured", "expected", "owed", "open_items")
    return Amounts(**{name: sum(getattr(row, name) for row in rows) for name in names})


def _by_terminal(rows: QuerySet[CDR], names: Names) -> Iterable[TerminalRow]:
    partners = RoamingPlatform.objects.filter(type=PlatformType.PTP).values("peer_id")
    paid = with_terminal(rows.filter(session__peer_id__in=partners))
    sums = list(_sums(paid, "session__peer_id", "terminal_pk", "currency"))
    ids = Terminal.objects.filter(pk__in={row["terminal_pk"] for row in sums}).values_list("pk", "terminal_id")
    terminals = dict(ids)
    for row in sums:
        terminal = terminals.get(row["terminal_pk"], "unknown")
        yield TerminalRow(terminal, _platform(row["session__peer_id"], names), row["currency"], _amounts(row))


def _payouts(groups: Sequence[Row]) -> list[Payout]:
    pairs = sorted({(row.platform, row.currency) for row in groups if row.platform != "none"})
    found = []
    for platform, currency in pairs:
        mine = [row.amounts for row in groups if (row.platform, row.currency) == (platform, currency)]
        total = add(mine)
        found.append(Payout(platform, currency, total.captured, total.owed))
    return found


def _strays(selection: Selection, user: access.User, names: Names) -> Iterable[StrayRow]:
    if selection.operator is not None or selection.terminal or selection.network:
        return  # a capture without a CDR has none of these
    advices = FinancialAdviceConfirmation.objects.filter(
        created_at__gte=selection.start, created_at__lt=selection.end
    ).exclude(capture_status_code=CaptureStatusCode.FAILED)
    if selection.platform is not None:
        advices = advices.filter(platform=selection.platform)
    unmatched = Q(session=None, platform=OuterRef("platform"), reference=OuterRef("reference"))
    same_payment = Q(session=OuterRef("session")) | unmatched
    with_reference = FinancialAdviceConfirmation.objects.annotate(reference=Upper("authorization_reference"))
    later = Q(last_updated__gt=OuterRef("last_updated")) | Q(
        last_updated=OuterRef("last_updated"), pk__gt=OuterRef("pk")
    )
    counted = CDR.objects.filter(session=OuterRef("session"), currency=OuterRef("currency"))
    stray = access.scope(advices, user).annotate(reference=Upper("authorization_reference"))
    stray = stray.filter(~Exists(with_reference.filter(later, same_payment)), ~Exists(counted))
    sums = stray.order_by().values("platform_id", "currency")
    for row in sums.annotate(count=Count("pk"), taken=Sum(rounded(units("total_gross"), "currency"))):
        yield StrayRow(
            names.platform_names[row["platform_id"]], row["currency"], row["count"], decimal_of(row["taken"])
        )


def _open_items(rows: QuerySet[CDR], names: Names) -> Iterable[OpenItem]:
    columns = ("pk", "session_id", "session__authorization_reference", "session__uid", "session__peer_id")
    found = rows.filter(IS_OPEN).order_by("created_at", "pk").values_list(*columns, "currency", "due", "captured")
    for cdr_id, session_id, reference, uid, peer_id, currency, due, captured in found[:LISTED]:
        yield OpenItem(
            cdr_id,
            session_id,
            reference or uid,
            _platform(peer_id, names),
            currency,
            decimal_of(due),
            decimal_of(captured),
        )


def months(selection: Selection, user: access.User, zone: ZoneInfo) -> list[Month]:
    """Monthly totals of a longer selection, oldest first."""
    rows = entries(selection, user).annotate(month=TruncMonth("created_at", tzinfo=zone))
    sums = rows.order_by().values("month", "currency").annotate(bill=Sum("billed"), taken=Sum("captured"))
    return [
        Month(row["month"], row["currency"], decimal_of(row["bill"]), decimal_of(row["taken"]))
        for row in sums.order_by("month", "currency")
    ]
