"""The entries of the books as a query: CDRs with what was billed, invoiced and captured for each.

Amounts are whole ten-thousandths of the currency: SQLite adds decimals as floating point numbers, integers exactly.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import (
    BigIntegerField,
    BooleanField,
    Case,
    DecimalField,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Coalesce, Round, Sign

from chargers.models import CDR
from infrastructure import access
from payments.choices import CaptureStatusCode
from payments.models import FinancialAdviceConfirmation, Terminal
from roaming.choices import PlatformType
from roaming.models import RoamingPlatform
from tariffs.pricing.rounding import currencies_with_decimals

UNITS = Decimal(10_000)
UNKNOWN_TERMINAL = "unknown"


@dataclass(frozen=True, slots=True)
class Selection:
    """What the books are asked about; `end` is exclusive. Primary keys; empty strings and None select all."""

    start: datetime
    end: datetime
    operator: int | None = None
    platform: int | None = None
    terminal: str = ""  # a primary key, or `UNKNOWN_TERMINAL`
    network: str = ""


@contextmanager
def planned_for_sums() -> Iterator[None]:
    """PostgreSQL takes a query with a look-up per row for a hundred times dearer than it is, and compiles it for longer
    than it then runs; and it sorts what it could add up at once, lest the sums have no room in 4 MB."""
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT set_config('jit', 'off', true), set_config('work_mem', '32MB', true)")
        yield


def decimal_of(units: int | None) -> Decimal:
    return Decimal(units or 0) / UNITS


def units(amount: Combinable) -> Cast:
    """A decimal amount as a whole number of ten-thousandths."""
    scaled = ExpressionWrapper(amount * Value(UNITS), DecimalField(max_digits=24, decimal_places=8))
    return Cast(Round(scaled), BigIntegerField())


def rounded(amount: Combinable, currency: str) -> Case:
    """A decimal amount in units, rounded half up, away from zero, to the decimals of the currency in that column."""
    return Case(
        When(**{f"{currency}__in": currencies_with_decimals(0)}, then=_to(amount, 10_000)),
        When(**{f"{currency}__in": currencies_with_decimals(3)}, then=_to(amount, 10)),
        default=_to(amount, 100),
        output_field=BigIntegerField(),
    )


def billed_energy() -> Case:
    """kWh in units; a credit takes them back, on its own day, as it does the money."""
    energy = units(F("total_energy"))
    taken_back = ExpressionWrapper(energy * Value(-1), BigIntegerField())
    return Case(When(is_credit=True, then=taken_back), default=energy)


def _to(amount: Combinable, step: int) -> "ExpressionWrapper[Any]":
    """Half up by whole numbers alone: their division cuts off, and nothing is ever a floating point number. The units,
    which cost most, are found out once."""
    half = ExpressionWrapper(Cast(Sign(amount), BigIntegerField()) * Value(step // 2), BigIntegerField())
    steps = ExpressionWrapper((units(amount) + half) / Value(step), BigIntegerField())
    return ExpressionWrapper(steps * Value(step), BigIntegerField())


def entries(selection: Selection, user: access.User) -> QuerySet[Any]:
    """CDRs of the period that the user may see. They count when they were written: a closed month stays closed."""
    rows = CDR.objects.filter(created_at__gte=selection.start, created_at__lt=selection.end)
    if not getattr(user, "is_superuser", False):
        rows = rows.alias(whose=OPERATOR_ID).filter(whose__in=access.operators_of(user).values("pk"))
    if selection.operator is not None:
        rows = rows.alias(whose=OPERATOR_ID).filter(whose=selection.operator)
    if selection.platform is not None:
        peers = RoamingPlatform.objects.filter(pk=selection.platform)
        rows = rows.filter(session__peer_id__in=peers.values("peer_id"))
    if selection.network:
        rows = rows.filter(session__network=selection.network)
    if selection.terminal:
        rows = rows.filter(_paid_at(selection.terminal))
    return rows


def annotated(rows: QuerySet[CDR]) -> QuerySet[Any]:
    """Adds what follows from `with_facts`: `captured`, `expected`, `is_open`."""
    found: QuerySet[Any] = with_facts(rows).annotate(
        captured=CAPTURED,
        expected=Case(When(is_payable=True, then=F("retail")), default=NOTHING),
        is_open=Case(When(IS_OPEN, then=True), default=False),
    )
    return found


NOTHING = Value(0, BigIntegerField())
OPERATOR_ID = Coalesce("invoice__operator_id", "session__connector__evse__charger__location__operator_id")
# What is captured stands on the first CDR of its session.
CAPTURED = Case(When(is_first=True, then=F("taken")), default=NOTHING)
# A payment is open when what was captured is not what all CDRs of its session amount to.
IS_OPEN = Q(is_first=True, is_payable=True) & ~Q(due=F("taken"))
# Only where something was taken back has a session more than one CDR; those few are looked up once, not per entry.
IS_CORRECTED = Q(session__in=CDR.objects.filter(is_credit=True).values("session"))


def with_captures(rows: QuerySet[CDR]) -> QuerySet[Any]:
    """Adds what CDRs and advices tell by themselves: `is_first` of its session, and in units `billed` (rounded as
    money) and `taken` (captured by the newest advice of the session)."""
    earlier = CDR.objects.filter(session=OuterRef("session_id"), pk__lt=OuterRef("pk"))
    found: QuerySet[Any] = rows.annotate(
        is_first=Case(When(IS_CORRECTED, then=~Exists(earlier)), default=True, output_field=BooleanField()),
        billed=rounded(F("total_cost_incl_vat"), "currency"),
        taken=Coalesce(Subquery(_taken(), BigIntegerField()), NOTHING),
    )
    return found


def with_facts(rows: QuerySet[CDR]) -> QuerySet[Any]:
    """Adds to `with_captures` `is_payable` (we expect the capture), `is_ours` (our invoice), and in units: `gross`,
    `retail` (what the driver pays), `invoiced`, `due` (all CDRs of the session)."""
    is_payable = _paid_at_terminal() & (Q(invoice__isnull=False) | Exists(_advices()))
    found: QuerySet[Any] = with_captures(rows).annotate(
        is_payable=Case(When(is_payable, then=True), default=False),
        is_ours=Case(When(_paid_at_terminal() & Q(invoice__isnull=False), then=True), default=False),
        gross=units(F("total_cost_incl_vat")),
        retail=_drivers_price(),
        invoiced=Coalesce(units(F("invoice__total_gross")), NOTHING),
        due=Case(When(IS_CORRECTED, then=Subquery(_due(), BigIntegerField())), default=_drivers_price()),
    )
    return found


# Without a partner nobody owes; a partner that gets a wholesale tariff owes just that, whatever its drivers pay;
# otherwise whoever invoices the driver is the one who sold.
_SUMS = """
WITH facts AS MATERIALIZED ({facts}),
entries AS (
    SELECT *, CASE WHEN is_first THEN taken ELSE 0 END AS captured,
        CASE WHEN is_payable THEN retail ELSE 0 END AS expected
    FROM facts
)
SELECT operator, peer, network_name, terminal, currency_code, COUNT(*), SUM(kwh),
    SUM(CASE WHEN is_first AND is_payable AND due <> taken THEN 1 ELSE 0 END),
    SUM(gross), SUM(billed), SUM(retail), SUM(invoiced), SUM(captured), SUM(expected),
    SUM(CASE WHEN peer = '' THEN 0 WHEN has_retail THEN billed WHEN is_ours THEN captured ELSE billed END)
FROM entries GROUP BY 1, 2, 3, 4, 5
"""


@dataclass(frozen=True, slots=True)
class Group:
    """Entries that have all of this in common, added up: what is counted, and the sums of `SUMMED`, in units."""

    operator_id: int | None
    peer_id: str
    network: str
    terminal_id: str
    currency: str
    cdrs: int
    kwh: int
    open_items: int
    sums: tuple[int, ...]


def sums_of(rows: QuerySet[CDR]) -> list[Group]:
    """All entries added up in one look at each: the database writes down what it found out of an entry before it adds
    anything up, as it would find it out again for each sum."""
    facts = with_facts(rows.order_by()).annotate(
        operator=OPERATOR_ID,
        peer=F("session__peer_id"),
        network_name=F("session__network"),
        terminal=F("session__terminal_id"),
        currency_code=F("currency"),
        kwh=billed_energy(),
        has_retail=Case(When(retail_total_incl_vat__isnull=False, then=True), default=False),
    )
    keys = ("operator", "peer", "network_name", "terminal", "currency_code")
    columns = (*keys, "kwh", "has_retail", *_FACTS)
    try:
        sql, params = facts.values(*columns).query.sql_with_params()
    except EmptyResultSet:
        return []
    with connection.cursor() as cursor:
        # Only names of columns are put together here; all values are parameters.
        cursor.execute(_SUMS.format(facts=sql), params)
        return [_group(row) for row in cursor.fetchall()]


def _group(row: Sequence[Any]) -> Group:
    operator, peer, network, terminal, currency, cdrs, kwh, open_items, *sums = row
    numbers = int(cdrs), int(kwh), int(open_items)
    return Group(operator, peer, network, terminal, currency, *numbers, tuple(int(one) for one in sums))


def _drivers_price() -> Case:
    """Rounded like `billed`, which it is where the partner has no retail terms."""
    return rounded(Coalesce(F("retail_total_incl_vat"), F("total_cost_incl_vat")), "currency")


def _paid_at_terminal() -> Q:
    return Q(session__peer_id__in=RoamingPlatform.objects.filter(type=PlatformType.PTP).values("peer_id"))


def _paid_at(terminal: str) -> Q:
    if terminal == UNKNOWN_TERMINAL:
        return _paid_at_terminal() & Q(session__terminal_id="")
    one = Terminal.objects.filter(pk=terminal)
    return Q(session__terminal_id__in=one.values("terminal_id"), session__peer_id__in=one.values("platform__peer_id"))


def _due() -> QuerySet[Any]:
    """All CDRs of the session together: a credit takes its bill away."""
    rows = CDR.objects.filter(session=OuterRef("session_id")).order_by().values("session")
    return rows.annotate(sum=Sum(_drivers_price())).values("sum")


def _advices() -> QuerySet[FinancialAdviceConfirmation]:
    return FinancialAdviceConfirmation.objects.filter(session=OuterRef("session_id"))


def _taken() -> QuerySet[Any]:
    """By the newest advice of the session: nothing when it failed or speaks of another currency."""
    value = Case(
        When(capture_status_code=CaptureStatusCode.FAILED, then=NOTHING),
        When(~Q(currency=OuterRef("currency")), then=NOTHING),
        default=rounded(F("total_gross"), "currency"),
        output_field=BigIntegerField(),
    )
    return _advices().order_by("-last_updated", "-pk").annotate(value=value).values("value")[:1]


SUMMED = ("gross", "billed", "retail", "invoiced", "captured", "expected", "owed")
_FACTS = ("is_first", "is_payable", "is_ours", "gross", "billed", "retail", "invoiced", "due", "taken")
