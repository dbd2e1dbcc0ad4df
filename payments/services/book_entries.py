"""The entries of the books as a query: CDRs with what was billed, invoiced and captured for each.

Amounts are whole ten-thousandths of the currency: SQLite adds decimals as floating point numbers, integers exactly.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import (
    BigIntegerField,
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
from django.db.models.functions import Cast, Coalesce, Concat, Length, Replace, Round, Sign, StrIndex, Upper

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


def decimal_of(units: int | None) -> Decimal:
    return Decimal(units or 0) / UNITS


def units(path: str) -> Cast:
    """A decimal column as a whole number of ten-thousandths."""
    scaled = ExpressionWrapper(F(path) * Value(UNITS), DecimalField(max_digits=24, decimal_places=8))
    return Cast(Round(scaled), BigIntegerField())


def rounded(amount: Combinable, currency: str) -> Case:
    """Units rounded half up, away from zero, to the decimals of the currency in column `currency`."""
    return Case(
        When(**{f"{currency}__in": currencies_with_decimals(0)}, then=_to(amount, 10_000)),
        When(**{f"{currency}__in": currencies_with_decimals(3)}, then=_to(amount, 10)),
        default=_to(amount, 100),
        output_field=BigIntegerField(),
    )


def _to(amount: Combinable, step: int) -> "ExpressionWrapper[Any]":
    """Half up by whole numbers alone: their division cuts off, and nothing is ever a floating point number."""
    half = ExpressionWrapper(Cast(Sign(amount), BigIntegerField()) * Value(step // 2), BigIntegerField())
    steps = ExpressionWrapper((amount + half) / Value(step), BigIntegerField())
    return ExpressionWrapper(steps * Value(step), BigIntegerField())


def entries(selection: Selection, user: access.User) -> QuerySet[CDR]:
    """CDRs of the period that the user may see. They count when they were written: a closed month stays closed."""
    rows = annotated(CDR.objects.filter(created_at__gte=selection.start, created_at__lt=selection.end))
    if not getattr(user, "is_superuser", False):
        rows = rows.filter(operator_id__in=access.operators_of(user).values("pk"))
    if selection.operator is not None:
        rows = rows.filter(operator_id=selection.operator)
    if selection.platform is not None:
        peers = RoamingPlatform.objects.filter(pk=selection.platform)
        rows = rows.filter(session__peer_id__in=peers.values("peer_id"))
    if selection.network:
        rows = rows.filter(session__network=selection.network)
    if selection.terminal:
        is_unknown = selection.terminal == UNKNOWN_TERMINAL
        rows = with_terminal(rows).filter(_paid_at_terminal())
        rows = rows.filter(terminal_pk=None) if is_unknown else rows.filter(terminal_pk=selection.terminal)
    return rows


def annotated(rows: QuerySet[CDR]) -> QuerySet[Any]:
    """Adds `operator_id`, `is_payable` (we expect the capture), and in units: `gross`, `billed` (rounded as money),
    `invoiced`, `captured` (by the newest advice, on the first CDR of a session), `expected`, `owed`, `due`."""
    advices = FinancialAdviceConfirmation.objects.filter(session=OuterRef("session_id"))
    earlier = CDR.objects.filter(session=OuterRef("session_id"), pk__lt=OuterRef("pk"))
    zero = Value(0, BigIntegerField())
    return (
        rows.annotate(
            operator_id=Coalesce("invoice__operator_id", "session__connector__evse__charger__location__operator_id"),
            is_first=~Exists(earlier),
            is_payable=Case(When(_paid_at_terminal() & (Q(invoice__isnull=False) | Exists(advices)), then=True)),
            gross=units("total_cost_incl_vat"),
            billed=rounded(units("total_cost_incl_vat"), "currency"),
            invoiced=Coalesce(units("invoice__total_gross"), zero),
            due=Coalesce(Subquery(_due(), BigIntegerField()), zero),
            taken=Coalesce(Subquery(_taken(advices), BigIntegerField()), zero),
        )
        .annotate(
            captured=Case(When(is_first=True, then=F("taken")), default=zero),
            expected=Case(When(is_payable=True, then=F("billed")), default=zero),
        )
        .annotate(
            owed=Case(
                # Without a partner nobody owes; whoever invoices the driver is the one who sold.
                When(session__peer_id="", then=zero),
                When(_paid_at_terminal() & Q(invoice__isnull=False), then=F("captured")),
                default=F("billed"),
            )
        )
    )


def _paid_at_terminal() -> Q:
    return Q(session__peer_id__in=RoamingPlatform.objects.filter(type=PlatformType.PTP).values("peer_id"))


def _due() -> QuerySet[Any]:
    """All CDRs of the session together: a credit takes its bill away."""
    rows = CDR.objects.filter(session=OuterRef("session_id")).order_by().values("session")
    return rows.annotate(sum=Sum(rounded(units("total_cost_incl_vat"), "currency"))).values("sum")


def _taken(advices: QuerySet[FinancialAdviceConfirmation]) -> QuerySet[Any]:
    """By the newest advice of the session: nothing when it failed or speaks of another currency."""
    zero = Value(0, BigIntegerField())
    value = Case(
        When(capture_status_code=CaptureStatusCode.FAILED, then=zero),
        When(~Q(currency=OuterRef("currency")), then=zero),
        default=rounded(units("total_gross"), "currency"),
        output_field=BigIntegerField(),
    )
    return advices.order_by("-last_updated", "-pk").annotate(value=value).values("value")[:1]


def with_terminal(rows: QuerySet[CDR]) -> QuerySet[Any]:
    """Adds `terminal_pk`: the only terminal of the partner that serves the EVSE, else one recognised in the
    reference, else None. No protocol tells at which terminal a card was tapped."""
    return rows.annotate(
        terminals=Subquery(
            _serving().order_by().values("platform").annotate(n=Sum(Value(1))).values("n"), BigIntegerField()
        )
    ).annotate(
        terminal_pk=Case(
            When(terminals=1, then=Subquery(_serving().order_by("pk").values("pk")[:1])),
            default=Subquery(_named().values("pk")[:1]),
            output_field=BigIntegerField(),
        )
    )


def _serving() -> QuerySet[Terminal]:
    area = OuterRef(OuterRef("session__connector__evse__charger__location_id"))
    evse = OuterRef(OuterRef("session__connector__evse_id"))
    by_area = Terminal.locations.through.objects.filter(terminal=OuterRef("pk"), location=area)
    by_evse = Terminal.evses.through.objects.filter(terminal=OuterRef("pk"), evse=evse)
    return Terminal.objects.filter(Exists(by_area) | Exists(by_evse), platform__peer_id=OuterRef("session__peer_id"))


def _named() -> QuerySet[Terminal]:
    """A terminal whose id is a part of the reference, for example T1 of pp-T1-000123; the longest one."""
    reference = _between_hyphens(OuterRef("session__authorization_reference"))
    rows = Terminal.objects.filter(platform__peer_id=OuterRef("session__peer_id"))
    rows = rows.annotate(at=StrIndex(reference, _between_hyphens(F("terminal_id"))))
    return rows.filter(at__gt=0).order_by(Length("terminal_id").desc(), "pk")


def _between_hyphens(text: Combinable) -> Concat:
    plain = Replace(Upper(text), Value("_"), Value("-"))
    return Concat(Value("-"), plain, Value("-"))


SUMS: Mapping[str, Sum] = {name: Sum(name) for name in ("gross", "billed", "invoiced", "captured", "expected", "owed")}
