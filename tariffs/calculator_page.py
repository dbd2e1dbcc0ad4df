"""The calculator's form, and its answer as text."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import INPUT_CLASSES, UnfoldAdminDecimalFieldWidget, UnfoldAdminSelectWidget

from infrastructure.admin_forms import WallTimeField
from tariffs.models import RoamingTariff
from tariffs.pricing import CostDimension, CostLine, ocpi_number
from tariffs.services.calculator import Calculation, Example, PricedPeriod
from tariffs.services.gross_prices import amount, free, prices_in_words
from tariffs.week_picture import mark_of

# Far from what a date can hold: time zones and windows must have room on both sides.
YEARS = [
    MinValueValidator(datetime(2000, 1, 1, tzinfo=UTC), _("Choose a date after 1999.")),
    MaxValueValidator(datetime(2100, 1, 1, tzinfo=UTC), _("Choose a date before 2100.")),
]
MINUTE = timedelta(minutes=1)
LONGEST = 7 * 24 * 60  # minutes
TERMINAL, APP = "terminal", "app"
_LOCAL = "%Y-%m-%dT%H:%M"
COMPONENTS = {
    CostDimension.FLAT: _("Start of the session"),
    CostDimension.ENERGY: _("Energy"),
    CostDimension.TIME: _("Charging time"),
    CostDimension.PARKING_TIME: _("Parked without charging"),
    CostDimension.RESERVATION_FLAT: _("Reservation"),
    CostDimension.RESERVATION_TIME: _("Reserved time"),
    CostDimension.SURCHARGE: _("Surcharge"),
}
TIMED = (CostDimension.TIME, CostDimension.PARKING_TIME, CostDimension.RESERVATION_TIME)


class CalculatorForm(forms.Form):
    """A session to be priced; sent by GET, so that an answer can be bookmarked and shared."""

    start = WallTimeField(
        label=_("Start (local time)"),
        input_formats=[_LOCAL],
        validators=YEARS,
        widget=forms.DateTimeInput({"type": "datetime-local", "class": " ".join(INPUT_CLASSES)}, format=_LOCAL),
    )
    zone = forms.ChoiceField(label=_("Time zone of the area"), widget=UnfoldAdminSelectWidget())
    charging = forms.IntegerField(
        label=_("Charging, minutes"), min_value=1, max_value=LONGEST, widget=UnfoldAdminDecimalFieldWidget()
    )
    kwh = forms.DecimalField(
        label=_("Energy, kWh"), min_value=0, max_value=5000, decimal_places=3, widget=UnfoldAdminDecimalFieldWidget()
    )
    parked = forms.IntegerField(
        label=_("Then parked without charging, minutes"),
        min_value=0,
        max_value=LONGEST,
        widget=UnfoldAdminDecimalFieldWidget(),
    )
    paid = forms.ChoiceField(
        label=_("Started at"),
        choices=[
            (TERMINAL, _("Payment terminal: the blocked amount is the limit")),
            (APP, _("App or card of a partner")),
        ],
        widget=UnfoldAdminSelectWidget(),
    )

    def __init__(self, query: Any, *, zones: Sequence[str]) -> None:
        super().__init__(query if "start" in query else _usual(zones[0]))
        self.fields["zone"].choices = [(name, name) for name in zones]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if "start" in cleaned and "zone" in cleaned:
            local = _local(cleaned["start"], cleaned["zone"])
            if local.astimezone(UTC).astimezone(local.tzinfo).replace(tzinfo=None) != local.replace(tzinfo=None):
                self.add_error("start", gettext("The clocks skip this time. Choose one an hour later."))
        return cleaned

    @property
    def example(self) -> Example:
        data = self.cleaned_data
        return Example(
            start=_local(data["start"], data["zone"]).astimezone(UTC),
            charging=data["charging"] * MINUTE,
            kwh=data["kwh"],
            parked=data["parked"] * MINUTE,
            zone=ZoneInfo(data["zone"]),
        )

    @property
    def is_for_terminals(self) -> bool:
        return self.cleaned_data["paid"] == TERMINAL


@dataclass(frozen=True, slots=True)
class Line:
    component: str
    quantity: str
    unit_price: str
    vat: str
    net: str
    gross: str


@dataclass(frozen=True, slots=True)
class PeriodRow:
    """`letter` and `colour` are those of the detail in the week view."""

    period: str
    letter: str
    colour: str
    prices: str
    quantity: str
    gross: str


@dataclass(frozen=True, slots=True)
class VatRow:
    rate: str
    net: str
    vat: str
    gross: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """A calculation as the page shows it; `total` is what the invoice would say."""

    total: str
    net: str
    session: str
    remarks: tuple[str, ...]
    lines: tuple[Line, ...]
    periods: tuple[PeriodRow, ...]
    vat_rows: tuple[VatRow, ...]
    subtotal: str


def sheet_of(tariff: RoamingTariff, answer: Calculation, example: Example, *, for_terminals: bool) -> Sheet:
    cost, currency = answer.cost, answer.cost.currency
    return Sheet(
        total=amount(cost.gross, currency),
        net=amount(cost.net, currency),
        session=f"{_span(example.start, example.end, example.zone)}, {example.zone.key}",
        remarks=tuple(_remarks(tariff, answer, example, for_terminals=for_terminals)),
        lines=tuple(_line(line, currency) for line in cost.lines),
        periods=tuple(_period(one, answer, example.zone) for one in answer.periods),
        vat_rows=tuple(
            VatRow(_rate(row.rate), *(amount(value, currency) for value in (row.net, row.vat, row.gross)))
            for row in cost.vat_totals()
        ),
        subtotal=_amount(cost.subtotal.incl_vat, currency),
    )


def _usual(zone: str) -> dict[str, Any]:
    now = timezone.now().astimezone(ZoneInfo(zone))
    return {"start": now.strftime(_LOCAL), "zone": zone, "charging": 60, "kwh": "20", "parked": 0, "paid": TERMINAL}


def _local(value: datetime, zone: str) -> datetime:
    """The wall time in its zone: the form read it as if it was UTC. A repeated time means the first one."""
    return value.replace(tzinfo=ZoneInfo(zone))


def _remarks(tariff: RoamingTariff, answer: Calculation, example: Example, *, for_terminals: bool) -> list[str]:
    cost, limit = answer.cost, answer.tariff.max_price
    remarks = []
    if cost.total.incl_vat < cost.subtotal.incl_vat and limit is not None:
        most = amount(limit.incl_vat or limit.excl_vat, cost.currency)
        text = (
            gettext(
                "Plugtill stops charging before the cost exceeds %(price)s: "
                "the driver would get less than entered here."
            )
            if for_terminals
            else gettext("Lowered to the maximum price of %(price)s.")
        )
        remarks.append(text % {"price": most})
    if cost.total.incl_vat > cost.subtotal.incl_vat:
        least = _amount(cost.subtotal.incl_vat, cost.currency)
        remarks.append(gettext("Raised to the minimum price, from %(price)s.") % {"price": least})
    if not tariff.is_valid_at(example.start):
        remarks.append(gettext("The tariff is not valid at this start: no session would begin with it."))
    if any(one.cost.incl_vat < 0 for one in answer.periods):
        remarks.append(
            gettext(
                "Time is rounded up once per session. Parking takes the rounding over from charging, so where it "
                "begins the bill falls a little."
            )
        )
    if not cost.lines:
        remarks.append(gettext("Nothing that is used costs anything at this time."))
    local = example.start.astimezone(example.zone)
    if local.utcoffset() != local.replace(fold=1).utcoffset():
        remarks.append(gettext("The clocks repeat the hour of this start; the first of the two is meant."))
    return remarks


def _line(line: CostLine, currency: str) -> Line:
    price = _amount(line.price * _factor(line.vat), currency)
    if line.dimension is CostDimension.ENERGY:
        price = gettext("%(price)s per kWh") % {"price": price}
    elif line.dimension in TIMED:
        price = gettext("%(price)s per hour") % {"price": price}
    return Line(
        component=str(COMPONENTS[line.dimension]),
        quantity=_quantity(line),
        unit_price=price,
        vat=_rate(line.vat),
        net=_amount(line.excl_vat, currency),
        gross=_amount(line.incl_vat, currency),
    )


def _quantity(line: CostLine) -> str:
    if line.dimension is CostDimension.ENERGY:
        return f"{_plain(line.quantity)} kWh"
    return _duration(line.quantity) if line.dimension in TIMED else gettext("once")


def _period(one: PricedPeriod, answer: Calculation, zone: ZoneInfo) -> PeriodRow:
    period, currency = one.period, answer.cost.currency
    parts = [
        f"{_plain(period.energy_kwh)} kWh" if period.energy_kwh else "",
        gettext("%(time)s charging") % {"time": _duration(period.time_h)} if period.time_h else "",
        gettext("%(time)s parked") % {"time": _duration(period.parking_h)} if period.parking_h else "",
    ]
    letter, colour = mark_of(one.detail, answer.details)
    return PeriodRow(
        period=_span(period.start, one.end, zone),
        letter=letter,
        colour=colour,
        prices=prices_in_words(one.detail, currency) if one.detail else free(),
        quantity=", ".join(filter(None, parts)),
        gross=_amount(one.cost.incl_vat, currency),
    )


def _span(start: datetime, end: datetime, zone: ZoneInfo) -> str:
    return gettext("%(start)s to %(end)s") % {"start": _when(start, zone), "end": _when(end, zone)}


def _when(instant: datetime, zone: ZoneInfo) -> str:
    """With the abbreviation of the zone: in the autumn night it tells the two hours apart."""
    local = instant.astimezone(zone)
    # Django's own T says nothing in just that night.
    return f"{date_format(local, 'D d M H:i')} {local:%Z}"


def _duration(hours: Decimal) -> str:
    seconds = round(hours * 3600)
    parts = [(seconds // 3600, "h"), (seconds % 3600 // 60, "min"), (seconds % 60, "s")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 min"


def _amount(value: Decimal, currency: str) -> str:
    """Unrounded amounts are shown with what four decimals tell."""
    rounded = ocpi_number(value)
    return amount(rounded, currency) if rounded >= 0 else f"−{amount(-rounded, currency)}"


def _rate(vat: Decimal | None) -> str:
    return gettext("no VAT") if vat is None else f"{_plain(vat)} %"


def _factor(vat: Decimal | None) -> Decimal:
    return 1 + (vat or Decimal(0)) / 100


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"
