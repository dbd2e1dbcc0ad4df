"""Chargers that tell the energy of intervals and no register: the sum is billed, each interval once."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from chargers.choices import CallAction
from chargers.models import CDR, ChargingSession
from chargers.services import progress
from chargers.services.events import MeterValuesReceived, Reading
from tests.chargers.factories import METER_START, charger_of, end, make_active, make_version, minutes, reread

pytestmark = pytest.mark.django_db


@pytest.fixture
def session() -> ChargingSession:
    return make_active(ago=minutes(60), tariff_version=make_version(energy="0.5", vat="0"))


def tell(session: ChargingSession, *values: tuple[float, float], **changes: Any) -> None:
    """(minutes since the start, Wh)"""
    assert session.started_at is not None
    readings = tuple(
        Reading(session.started_at + minutes(at), Decimal(wh), **({"is_interval": True} | changes)) for at, wh in values
    )
    progress.update_session(charger_of(session), MeterValuesReceived(1, session.pk, readings))


def test_the_sum_is_the_energy_so_far_and_at_the_end(session: Any):
    tell(session, (15, 1000), (30, 2000))
    assert reread(session).kwh == 3
    tell(session, (45, 500))
    end(session, timezone.now(), 0)  # OCPP 1.6 wants a number; without a register it is the start's
    assert reread(session).kwh == Decimal("3.5")
    assert CDR.objects.get().total_cost_incl_vat == Decimal("1.75")


CLOCK, PERIODIC, END = "Sample.Clock", "Sample.Periodic", "Transaction.End"


def test_intervals_of_the_clock_tell_the_same_energy_as_the_periodic_ones(session: Any):
    tell(session, (10, 9000), (25, 3000), context=CLOCK)
    assert reread(session).kwh == 12
    tell(session, (10, 1000), (20, 1000), (25, 500), context=PERIODIC)
    tell(session, (40, 3000), context=CLOCK)
    tell(session, (25, 500), (30, 400), context=END)
    assert reread(session).kwh == Decimal("2.9")
    end(session, timezone.now(), 0)
    assert CDR.objects.get().total_energy == Decimal("2.9")


def test_intervals_of_the_clock_alone_are_billed(session: Any):
    tell(session, (10, 1000), (25, 3000), context=CLOCK)
    tell(session, (30, 400), context=END)
    assert reread(session).kwh == Decimal("4.4")


def test_one_that_is_told_twice_or_late_counts_once(session: Any):
    tell(session, (30, 2000))
    tell(session, (30, 2000), (15, 1000))
    tell(session, (15, 1000))
    assert reread(session).kwh == 3


@pytest.mark.parametrize("at", [-5, 0, 120], ids=["before", "at the start", "in the future"])
def test_one_whose_time_cannot_be_is_not_billed(session: Any, at: float):
    tell(session, (at, 9000), (15, 1000))
    tell(session, (at, 9000))
    assert reread(session).kwh == 1


def test_an_impossible_one_is_left_out(session: Any):
    tell(session, (10, 50_000_000), (15, 1000))
    assert reread(session).kwh == 1


def test_a_sum_that_is_impossible_stops_where_it_is_possible(session: Any, caplog: Any):
    tell(session, *((minute, 900_000) for minute in range(1, 11)))
    tell(session, (15, 1000))
    assert reread(session).kwh == 901
    assert "9 intervals are impossible" in caplog.text
    tell(session, (59, 1000))  # time that has gone by makes none of them true
    assert reread(session).kwh == 902
    end(session, timezone.now(), 0)
    assert CDR.objects.get().total_energy == 902


def test_a_register_at_the_end_is_the_truth(session: Any):
    tell(session, (15, 1000), (30, 2000))
    end(session, timezone.now(), 2900)
    assert reread(session).kwh == Decimal("2.9")


def test_registers_on_the_way_mean_the_same_energy(session: Any):
    tell(session, (15, 1000), (30, 2000))
    tell(session, (31, METER_START + 3000), is_interval=False)
    tell(session, (45, 1000))
    assert reread(session).kwh == 3
    end(session, timezone.now(), 4000)
    assert reread(session).kwh == 4


def test_the_limit_stops_by_intervals_too(session: Any):
    ChargingSession.objects.update(limit=2)
    tell(session, (55, 1000))
    stops = reread(session).calls.filter(action=CallAction.STOP_TRANSACTION)
    assert not stops.exists()
    assert session.started_at is not None
    tell(session, ((timezone.now() - session.started_at - timedelta(seconds=1)).total_seconds() / 60, 2990))
    assert stops.exists()
