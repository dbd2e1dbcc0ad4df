"""The stop at the limit, simulated second by second: a charger that delivers until our stop has reached it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from chargers.models import ChargingSession
from chargers.services import limits
from chargers.services.events import Reading
from chargers.services.metering import Measured, price
from infrastructure.models import Connector
from tariffs.models import TariffVersion

BEGAN = datetime(2026, 6, 1, 10, tzinfo=UTC)
LIMIT = Decimal("50.00")
TICK = 10


def make_content(energy: float, hour: float) -> dict[str, Any]:
    prices = {"FLAT": 0.5, "ENERGY": energy, "TIME": hour, "PARKING_TIME": 0}
    components = [{"type": kind, "price": one, "vat": 20, "step_size": 1} for kind, one in prices.items()]
    return {
        "id": "T",
        "currency": "EUR",
        "type": "AD_HOC_PAYMENT",
        "elements": [{"price_components": components}],
        "min_price": None,
        "max_price": None,
        "preauthorisation": str(LIMIT),
        "tariff_alt_text": [],
        "start_date_time": None,
        "end_date_time": None,
    }


@dataclass(frozen=True)
class Charger:
    """Delivers `watts` from the first second on, and tells its meter every `interval` seconds."""

    watts: int
    interval: int
    tells_power: bool = True
    rating: int = 350_000

    def session(self, energy: float, hour: float) -> ChargingSession:
        connector = Connector(power_type="DC", max_voltage=1000, max_amperage=500, max_electric_power=self.rating)
        return ChargingSession(
            connector=connector,
            limit=LIMIT,
            tariff_version=TariffVersion(pk=1, content=make_content(energy, hour)),
            currency="EUR",
            time_zone="Europe/Vienna",
            started_at=BEGAN,
            meter_start=Decimal(0),
        )

    def register(self, seconds: int) -> Decimal:
        return Decimal(self.watts) * seconds / 3600

    def measured(self, session: ChargingSession, seconds: int) -> Measured:
        told = range(self.interval, seconds + 1, self.interval)
        power = Decimal(self.watts) if self.tells_power else None
        readings = [Reading(BEGAN + timedelta(seconds=at), self.register(at), power) for at in told]
        return Measured(session, (Reading(BEGAN, Decimal(0)), *readings), ())


def cost(charger: Charger, session: ChargingSession, seconds: int) -> Decimal:
    at = BEGAN + timedelta(seconds=seconds)
    measured = Measured(session, (Reading(BEGAN, Decimal(0)), Reading(at, charger.register(seconds))), ())
    priced = price(measured, at, limit=None).cost
    assert priced is not None
    return priced.total.incl_vat


def stopped_after(charger: Charger, session: ChargingSession) -> int:
    for seconds in range(0, 12 * 3600, TICK):
        if limits.is_reached(charger.measured(session, seconds), BEGAN + timedelta(seconds=seconds)):
            return seconds
    raise AssertionError("never stopped")


FAST = [
    Charger(350_000, 5 * 60),
    Charger(350_000, 10 * 60),
    Charger(350_000, 15 * 60),
    Charger(350_000, 15 * 60, tells_power=False),
    Charger(350_000, 10),
    Charger(150_000, 15 * 60),
    Charger(150_000, 5 * 60, tells_power=False),
    Charger(50_000, 15 * 60, rating=50_000),
]


@pytest.mark.parametrize("charger", FAST, ids=str)
@pytest.mark.parametrize(
    ("energy", "hour"), [(0.5, 0), (0.15, 0), (0.4, 12)], ids=["energy", "cheap", "energy and time"]
)
def test_the_energy_that_flowed_when_the_stop_took_effect_is_within_the_limit(charger, energy, hour):
    session = charger.session(energy, hour)
    seconds = stopped_after(charger, session)
    assert cost(charger, session, seconds + int(limits.COMMAND_LATENCY.total_seconds())) <= LIMIT


RETAIL = {"factor": "1.4", "surcharge": "2.50", "surcharge_vat": "20"}


@pytest.mark.parametrize("charger", FAST[:5], ids=str)
def test_the_drivers_price_decides_where_it_is_another_than_the_cost(charger):
    session = charger.session(0.4, 12)
    session.retail = RETAIL
    seconds = stopped_after(charger, session) + int(limits.COMMAND_LATENCY.total_seconds())
    wholesale = cost(charger, session, seconds)
    assert wholesale < wholesale * Decimal("1.4") + Decimal("2.50") <= LIMIT


@pytest.mark.parametrize("interval", [10, 60, 300])
def test_the_stop_is_not_much_too_early(interval):
    charger = Charger(350_000, interval)
    session = charger.session(0.5, 0)
    # At most the energy until the next value, or the next look.
    most = min(interval, 60) + TICK + TICK + int(limits.COMMAND_LATENCY.total_seconds())
    assert cost(charger, session, stopped_after(charger, session) + most) >= LIMIT


def test_before_its_first_value_a_connector_is_taken_at_its_rating():
    session = Charger(0, 3600, rating=120_000).session(0.5, 0)
    measured = Measured(session, (Reading(BEGAN, Decimal(0)),), ())
    assert limits.expected_power_w(measured) == 120_000
    assert session.connector is not None
    session.connector.max_electric_power = None
    assert limits.expected_power_w(measured) == 500_000


def test_a_car_that_asks_for_nothing_is_not():
    session = Charger(0, 3600).session(0.5, 0)
    parked = Measured(session, (Reading(BEGAN, Decimal(0)),), ((BEGAN, None),))
    assert limits.expected_power_w(parked) == 0
    silent = [Reading(BEGAN + timedelta(minutes=one), Decimal(0), Decimal(0)) for one in (1, 2)]
    assert limits.expected_power_w(Measured(session, (Reading(BEGAN, Decimal(0)), *silent), ())) == 0


@pytest.mark.parametrize(
    ("power_type", "watts"), [("AC_1_PHASE", 7360), ("AC_2_PHASE", 14_720), ("AC_3_PHASE", 22_080)]
)
def test_the_rating_counts_phases(power_type, watts):
    connector = Connector(power_type=power_type, max_voltage=230, max_amperage=32)
    assert limits.connector_power_w(connector) == watts
