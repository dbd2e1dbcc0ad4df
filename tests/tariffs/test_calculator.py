"""What an imagined session costs, and that a real one costs the same."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from chargers.models import CDR, ChargingSession, MeterSample, OutgoingCall, ParkingSpan
from chargers.services import calls
from tariffs.choices import TariffStatus
from tariffs.models import TariffVersion
from tariffs.pricing import Price
from tariffs.services.calculator import Example, calculate, tariff_as_published
from tariffs.services.publish import publish_tariff
from tariffs.services.versions import pricing_tariff
from tests.chargers.factories import METER_START, end, make_connector, make_pending, start
from tests.tariffs.factories import DetailFactory, TariffFactory

pytestmark = pytest.mark.django_db

VIENNA = ZoneInfo("Europe/Vienna")
NET = {"prices_include_vat": False}
MINUTE = timedelta(minutes=1)


def make_tariff(**fields):
    """Day and night prices that differ in all components, parking and a start fee, in steps of 5 minutes."""
    tariff = TariffFactory(**NET | fields)
    daily = {"tariff": tariff, "time_step_size": 300, "park_time_price": Decimal(3), "park_time_vat": Decimal(20)}
    DetailFactory(
        **daily,
        start=datetime(2026, 1, 1, 6, tzinfo=UTC),
        stop=datetime(2027, 1, 1, 22, tzinfo=UTC),
        flat_price=Decimal("0.5"),
        flat_vat=Decimal(20),
    )
    DetailFactory(
        **daily,
        priority=10,
        start=datetime(2026, 1, 1, 22, tzinfo=UTC),
        stop=datetime(2027, 1, 1, 6, tzinfo=UTC),
        energy_price=Decimal("0.3017"),
        energy_vat=Decimal(10),
        charge_time_price=Decimal("1.2"),
    )
    return tariff


def make_example(local=datetime(2026, 6, 10, 21), *, charging=120, kwh="20", parked=0):
    start_at = local.replace(tzinfo=VIENNA).astimezone(UTC)
    return Example(start_at, charging * MINUTE, Decimal(kwh), parked * MINUTE, VIENNA)


def charged(tariff, example, monkeypatch):
    """The CDR of a session on a charger that does what the example says, told when it has ended."""
    monkeypatch.setattr(timezone, "now", lambda: example.end)
    version = publish_tariff(tariff)
    limit = Decimal(version.content["preauthorisation"])
    session = make_pending(make_connector(), tariff_version=version, limit=limit)
    ChargingSession.objects.filter(pk=session.pk).update(created_at=example.start)
    OutgoingCall.objects.filter(session=session).update(state="SENT")
    calls.finish_call(session.calls.get().pk, calls.CallResult.ACCEPTED, {"status": "Accepted"})
    start(session, example.start)
    watt_hours = example.kwh * 1000
    MeterSample.objects.create(session=session, at=example.charged_at, register_wh=METER_START + watt_hours)
    if example.parked:
        ParkingSpan.objects.create(session=session, started_at=example.charged_at)
    assert end(session, example.end, float(watt_hours))
    assert ChargingSession.objects.get(pk=session.pk).time_zone == example.zone.key
    return CDR.objects.get(session=session)


@pytest.mark.parametrize(
    "example",
    [
        make_example(),
        make_example(parked=47),
        make_example(charging=601, kwh="63.417", parked=13),
        make_example(datetime(2026, 3, 28, 21), charging=600),
        make_example(datetime(2026, 10, 24, 21), charging=600, parked=61),
        make_example(kwh="500"),
        make_example(charging=1, kwh="0"),
    ],
    ids=["over the boundary", "parked", "odd numbers", "spring", "autumn", "above the limit", "hardly anything"],
)
def test_it_costs_what_the_session_costs(example, monkeypatch):
    tariff = make_tariff()
    cost = calculate(tariff, example, for_terminals=True).cost
    cdr = charged(tariff, example, monkeypatch)
    assert cdr.total_cost_incl_vat == cost.total.incl_vat.quantize(Decimal("0.0001"))
    assert cdr.total_cost_excl_vat == cost.total.excl_vat.quantize(Decimal("0.0001"))
    assert [Decimal(line["quantity"]) for line in cdr.cost["lines"]] == [
        line.quantity.quantize(Decimal("0.0001")) for line in cost.lines
    ]
    assert [Decimal(row["gross"]) for row in cdr.cost["vat_totals"]] == [row.gross for row in cost.vat_totals()]


def test_the_total_is_what_the_invoice_says_where_four_decimals_tip_the_cent():
    tariff = TariffFactory(**NET)
    DetailFactory(tariff=tariff, energy_price=Decimal("0.45"), energy_vat=Decimal(20))
    cost = calculate(tariff, make_example(charging=60, kwh="10.324"), for_terminals=True).cost
    assert (cost.total.incl_vat, cost.gross) == (Decimal("5.5750"), Decimal("5.58"))  # 5.57496
    assert [row.gross for row in cost.vat_totals()] == [Decimal("5.58")]


@pytest.mark.parametrize("for_terminals", [True, False])
def test_tariff_is_the_one_that_prices_sessions(for_terminals):
    tariff = make_tariff(max_price=Decimal(80), min_price=Decimal(1))
    expected = pricing_tariff(publish_tariff(tariff), Decimal(50) if for_terminals else None)
    assert tariff_as_published(tariff, for_terminals=for_terminals) == expected
    assert expected.max_price.incl_vat == (50 if for_terminals else 80)


def test_draft_is_priced_and_not_published():
    tariff = make_tariff(status=TariffStatus.DRAFT, preauthorisation=None)
    answer = calculate(tariff, make_example(datetime(2026, 6, 10, 10), charging=60, kwh="10"), for_terminals=True)
    assert answer.cost.gross == Decimal("5.40")  # 0.60 to start and 10 times 0.48
    assert not TariffVersion.objects.exists()


def test_tariff_without_details_has_no_price():
    with pytest.raises(ValidationError, match="at least one tariff detail"):
        calculate(TariffFactory(), make_example(), for_terminals=True)


def test_terminal_limits_and_app_does_not():
    tariff = make_tariff()
    example = make_example(kwh="500")
    assert calculate(tariff, example, for_terminals=True).cost.gross == 50
    assert calculate(tariff, example, for_terminals=False).cost.gross > 200


def test_periods_say_which_detail_applies():
    tariff = make_tariff()
    answer = calculate(tariff, make_example(parked=30), for_terminals=True)
    night, day = tariff.details.order_by("-priority")
    assert [one.detail.id for one in answer.periods] == [day.pk, night.pk, night.pk]
    assert [one.period.energy_kwh for one in answer.periods] == [10, 10, 0]
    assert [one.period.parking_h for one in answer.periods] == [0, 0, Decimal("0.5")]
    assert answer.periods[0].end == answer.periods[1].period.start == datetime(2026, 6, 10, 20, tzinfo=UTC)
    assert answer.periods[-1].end == make_example(parked=30).end


def test_uncovered_period_is_free():
    tariff = TariffFactory(**NET)
    DetailFactory(tariff=tariff, stop=datetime(2027, 1, 1, 22, tzinfo=UTC))
    answer = calculate(tariff, make_example(), for_terminals=True)
    assert [one.detail is None for one in answer.periods] == [False, True]
    assert [one.cost.incl_vat for one in answer.periods] == [Decimal("4.80"), 0]


@pytest.mark.parametrize("parked", [0, 31])
def test_periods_add_up_to_the_bill(parked):
    """Steps are rounded up once: parking takes the rounding over from charging."""
    answer = calculate(make_tariff(), make_example(charging=601, parked=parked), for_terminals=True)
    assert len(answer.periods) > 2
    total = Price(sum(one.cost.excl_vat for one in answer.periods), sum(one.cost.incl_vat for one in answer.periods))
    assert total == answer.cost.subtotal


def test_duration_is_real_time_on_the_autumn_night():
    answer = calculate(make_tariff(), make_example(datetime(2026, 10, 24, 23), charging=300), for_terminals=True)
    (period,) = answer.periods
    assert period.period.time_h == 5
    assert period.end.astimezone(VIENNA).hour == 3
