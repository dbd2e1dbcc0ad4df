"""Closing the books: sums of CDRs, invoices and captures of a period, added up by the database."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import TruncMonth, Upper
from django.utils.translation import gettext as _

from chargers.models import CDR
from infrastructure import access
from infrastructure.models import Operator
from payments.choices import CaptureStatusCode
from payments.models import FinancialAdviceConfirmation, Invoice
from payments.services.book_entries import (
    CAPTURED,
    SUMMED,
    Group,
    Selection,
    annotated,
    decimal_of,
    entries,
    planned_for_sums,
    rounded,
    sums_of,
    with_captures,
)
from payments.services.vat_sums import VatRow, vat_sums
from roaming.choices import PlatformType
from roaming.models import RoamingPlatform

LISTED = 100


@dataclass(frozen=True, slots=True)
class Amounts:
    """`billed` is what the CDRs say, `retail` what drivers pay for them: the same but for partners with retail terms.
    `difference` is what was captured beyond what was to be captured; negative: still missing."""

    cdrs: int
    kwh: Decimal
    gross: Decimal
    billed: Decimal
    retail: Decimal
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
    providers: frozenset[str]  # peer ids of payment terminal providers


@planned_for_sums()
def books(selection: Selection, user: access.User) -> Books:
    """Everything about a period in a fixed number of queries."""
    rows = entries(selection, user)
    groups = sums_of(rows)
    names = names_of()
    is_any_open = any(one.open_items for one in groups)
    return Books(
        rows=list(_by_operator(groups, names)),
        totals=_totals(groups),
        terminals=list(_by_terminal(groups, names)),
        vat=vat_sums(Invoice.objects.filter(cdr__in=rows.order_by().values("pk"))),
        payouts=list(_payouts(groups, names)),
        strays=list(_strays(selection, user, names)),
        open_items=list(_open_items(rows, names, LISTED)) if is_any_open else [],
    )


def names_of() -> Names:
    """Of all operators and platforms: installations have few."""
    platforms = list(RoamingPlatform.objects.values_list("pk", "peer_id", "name", "type"))
    return Names(
        operators=dict(Operator.objects.values_list("pk", "name")),
        platforms={peer_id: name for _, peer_id, name, _ in platforms},
        platform_names={pk: name for pk, _, name, _ in platforms},
        providers=frozenset(peer_id for _, peer_id, _, kind in platforms if kind == PlatformType.PTP),
    )


def _amounts(groups: Iterable[Group]) -> Amounts:
    rows = list(groups)
    sums = {name: decimal_of(sum(values)) for name, *values in zip(SUMMED, *(row.sums for row in rows), strict=True)}
    cdrs, kwh, open_items = (sum(getattr(row, name) for row in rows) for name in ("cdrs", "kwh", "open_items"))
    return Amounts(cdrs=cdrs, kwh=decimal_of(kwh), open_items=open_items, **sums)


Key = tuple[Any, ...]


def _gathered(groups: Iterable[Group], key: Callable[[Group], Key]) -> Iterator[tuple[Key, Amounts]]:
    """In the order of the keys, None before all else."""
    found: dict[Key, list[Group]] = {}
    for group in groups:
        found.setdefault(key(group), []).append(group)
    for one in sorted(found, key=lambda parts: [(part is not None, part) for part in parts]):
        yield one, _amounts(found[one])


def _by_operator(groups: Iterable[Group], names: Names) -> Iterable[Row]:
    found = _gathered(groups, lambda one: (one.operator_id, one.peer_id, one.network, one.currency))
    for (operator_id, peer_id, network, currency), amounts in found:
        operator = names.operators.get(operator_id, _("unknown"))
        yield Row(operator, _platform(peer_id, names), network, currency, amounts)


def _platform(peer_id: str, names: Names) -> str:
    return names.platforms.get(peer_id, _("unknown")) if peer_id else _("none")


def _totals(groups: Iterable[Group]) -> Sequence[tuple[str, Amounts]]:
    return [(currency, amounts) for (currency,), amounts in _gathered(groups, lambda one: (one.currency,))]


def _by_terminal(groups: Iterable[Group], names: Names) -> Iterable[TerminalRow]:
    paid = [one for one in groups if one.peer_id in names.providers]
    for (peer_id, terminal_id, currency), amounts in _gathered(
        paid, lambda one: (one.peer_id, one.terminal_id, one.currency)
    ):
        yield TerminalRow(terminal_id or _("unknown"), _platform(peer_id, names), currency, amounts)


def _payouts(groups: Iterable[Group], names: Names) -> Iterable[Payout]:
    """By partner, not by its name, which another may bear too."""
    found = _gathered((one for one in groups if one.peer_id), lambda one: (one.peer_id, one.currency))
    for (peer_id, currency), amounts in found:
        yield Payout(_platform(peer_id, names), currency, amounts.captured, amounts.owed)


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
    for row in sums.annotate(count=Count("pk"), taken=Sum(rounded(F("total_gross"), "currency"))):
        yield StrayRow(
            names.platform_names[row["platform_id"]], row["currency"], row["count"], decimal_of(row["taken"])
        )


def open_items(selection: Selection, user: access.User) -> Iterable[OpenItem]:
    """All of them, the oldest first."""
    return _open_items(entries(selection, user), names_of(), None)


def _open_items(rows: QuerySet[CDR], names: Names, most: int | None) -> Iterable[OpenItem]:
    columns = ("pk", "session_id", "session__authorization_reference", "session__uid", "session__peer_id")
    found = (
        annotated(rows)
        .filter(is_open=True)
        .order_by("created_at", "pk")
        .values_list(*columns, "currency", "due", "captured")
    )
    for cdr_id, session_id, reference, uid, peer_id, currency, due, captured in found[:most]:
        yield OpenItem(
            cdr_id,
            session_id,
            reference or uid,
            _platform(peer_id, names),
            currency,
            decimal_of(due),
            decimal_of(captured),
        )


@planned_for_sums()
def months(selection: Selection, user: access.User, zone: ZoneInfo) -> list[Month]:
    """Monthly totals of a longer selection, oldest first: what `books` of each month says under the same names."""
    rows = with_captures(entries(selection, user)).annotate(month=TruncMonth("created_at", tzinfo=zone))
    sums = rows.order_by().values("month", "currency").annotate(bill=Sum("billed"), captured=Sum(CAPTURED))
    return [
        Month(row["month"], row["currency"], decimal_of(row["bill"]), decimal_of(row["captured"]))
        for row in sums.order_by("month", "currency")
    ]
