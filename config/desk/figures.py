"""Today's figures and those of the last 30 days, of what a member of staff may see."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone
from django.utils.translation import gettext as _

from chargers.choices import CallAction, CallResult, CallState
from chargers.models import CDR, ChargingSession, OutgoingCall
from infrastructure import access
from infrastructure.access import User

DAYS = 30
# Of the brand's green and an amber that both stand out in light and dark.
ENERGY_COLOUR, MONEY_COLOUR = "#16a34a", "#d97706"


@dataclass(frozen=True, slots=True)
class Today:
    """Amounts are gross, per currency; energy is kWh."""

    sessions: int
    energy: Decimal
    revenue: list[tuple[Decimal, str]]
    failed_starts: int


def today(user: User) -> Today:
    """Since midnight in the zone of the site; three queries."""
    since = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    begun = access.scope(ChargingSession.objects.filter(started_at__gte=since), user).count()
    sums = list(
        access.scope(CDR.objects.filter(created_at__gte=since), user)
        .values_list("currency")
        .annotate(kwh=_of_bills("total_energy"), money=Sum("total_cost_incl_vat"))
        .order_by("currency")
    )
    failed = OutgoingCall.objects.filter(
        action=CallAction.START_TRANSACTION, state=CallState.DONE, created_at__gte=since
    ).exclude(result=CallResult.ACCEPTED)
    return Today(
        sessions=begun,
        energy=sum((kwh or Decimal(0) for _currency, kwh, _money in sums), Decimal(0)),
        revenue=[(money, currency) for currency, _kwh, money in sums],
        failed_starts=access.scope(failed, user).count(),
    )


def last_days(user: User) -> list[dict[str, Any]]:
    """A chart per kind: sessions and energy per day, and gross revenue per day and currency. One query."""
    now = timezone.localtime()
    days = [now.date() - timedelta(days=back) for back in reversed(range(DAYS))]
    since = datetime.combine(days[0], time(), tzinfo=now.tzinfo)
    rows = list(
        access.scope(CDR.objects.filter(created_at__gte=since), user)
        .annotate(day=TruncDate("created_at", tzinfo=now.tzinfo))
        .values_list("day", "currency")
        .annotate(
            n=Count("pk", filter=Q(is_credit=False)), kwh=_of_bills("total_energy"), money=Sum("total_cost_incl_vat")
        )
        .order_by("day", "currency")
    )
    if not rows:
        return []
    energy: dict[date, Decimal] = {}
    money: dict[str, dict[date, Decimal]] = {}
    for day, currency, _n, kwh, amount in rows:
        energy[day] = energy.get(day, Decimal(0)) + (kwh or 0)
        money.setdefault(currency, {})[day] = amount
    return [
        _chart(_("Energy per day"), "kWh", days, energy, ENERGY_COLOUR),
        *(_chart(_("Revenue per day"), currency, days, found, MONEY_COLOUR) for currency, found in money.items()),
    ]


def _of_bills(field: str) -> Sum:
    """A credit takes the money back and leaves the energy of the corrected bill, if there is one."""
    return Sum(field, filter=Q(is_credit=False, credited_at=None))


def _chart(title: str, unit: str, days: list[date], values: dict[date, Decimal], colour: str) -> dict[str, Any]:
    """Data of the chart, which wants floats, and the total for those who cannot see it."""
    data = {
        "labels": [f"{day:%d.%m.}" for day in days],
        "datasets": [
            {
                "label": f"{title} ({unit})",
                "data": [float(values.get(day, 0)) for day in days],
                "backgroundColor": colour,
                "displayYAxis": True,
            }
        ],
    }
    return {"title": title, "unit": unit, "data": data, "total": sum(values.values(), Decimal(0))}
