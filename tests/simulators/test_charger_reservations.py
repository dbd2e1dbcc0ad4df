"""Reservations and charging profiles of the simulated charge point."""

from datetime import UTC, datetime, timedelta
from typing import Any

from ocpp.v16 import call

from tests.simulators.fake_csms import FakeCSMS
from tests.simulators.test_charger_session import charging


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


async def reserve(csms: FakeCSMS, **changes: Any) -> str:
    wanted = {"connector_id": 1, "expiry_date": in_seconds(60), "id_tag": "MINE", "reservation_id": 7} | changes
    return str((await csms.peer.call(call.ReserveNow(**wanted))).status)


async def cancel(csms: FakeCSMS, reservation_id: int) -> str:
    return str((await csms.peer.call(call.CancelReservation(reservation_id=reservation_id))).status)


async def test_a_reserved_connector_is_for_its_tag_only_and_the_start_names_the_reservation() -> None:
    async with FakeCSMS() as csms, charging(csms):
        assert await reserve(csms) == "Accepted"
        await csms.until(lambda: csms.statuses()[-1] == "Reserved")
        assert await csms.remote_start(id_tag="OTHER") == "Rejected"
        assert await csms.remote_start(id_tag="mine") == "Accepted"
        await csms.until(lambda: csms.all("StartTransaction"))
        assert csms.all("StartTransaction")[0]["reservation_id"] == 7
        assert await cancel(csms, 7) == "Rejected"


async def test_a_cancelled_reservation_frees_the_connector() -> None:
    async with FakeCSMS() as csms, charging(csms):
        await reserve(csms)
        assert (await cancel(csms, 8), await cancel(csms, 7)) == ("Rejected", "Accepted")
        await csms.until(lambda: csms.statuses() == ["Available", "Reserved", "Available"])


async def test_a_reservation_expires_by_itself() -> None:
    async with FakeCSMS() as csms, charging(csms):
        await reserve(csms, expiry_date=in_seconds(0.2))
        await csms.until(lambda: csms.statuses() == ["Available", "Reserved", "Available"])


async def test_the_same_id_replaces_and_another_id_finds_the_connector_occupied() -> None:
    async with FakeCSMS() as csms, charging(csms):
        await reserve(csms)
        assert await reserve(csms, reservation_id=8) == "Occupied"
        assert await reserve(csms, id_tag="NEW") == "Accepted"
        assert await csms.remote_start(id_tag="NEW") == "Accepted"


async def test_one_of_several_connectors_stays_free_for_a_reservation_of_any() -> None:
    async with FakeCSMS() as csms, charging(csms, evses=2):
        assert await reserve(csms, connector_id=0) == "Accepted"
        assert await csms.remote_start(1, id_tag="OTHER") == "Accepted"
        await csms.until(lambda: "Charging" in csms.statuses(1))
        assert await csms.remote_start(2, id_tag="OTHER") == "Rejected"
        assert await csms.remote_start(2, id_tag="MINE") == "Accepted"


async def test_a_faulted_connector_cannot_be_reserved() -> None:
    async with FakeCSMS() as csms, charging(csms) as charger:
        charger.fail(charger.connectors[1], "GroundFailure", "PowerLoss")
        assert await reserve(csms) == "Faulted"


def profile(limit: float, unit: str = "W", **changes: Any) -> dict[str, Any]:
    schedule = {"charging_rate_unit": unit, "charging_schedule_period": [{"start_period": 0, "limit": limit}]}
    return {
        "charging_profile_id": 5,
        "stack_level": 0,
        "charging_profile_purpose": "TxProfile",
        "charging_profile_kind": "Relative",
        "charging_schedule": schedule,
    } | changes


async def set_profile(csms: FakeCSMS, wanted: dict[str, Any]) -> str:
    request = call.SetChargingProfile(connector_id=1, cs_charging_profiles=wanted)
    return str((await csms.peer.call(request)).status)


async def limits(csms: FakeCSMS, unit: str) -> list[float]:
    request = call.GetCompositeSchedule(connector_id=1, duration=600, charging_rate_unit=unit)
    answer = await csms.peer.call(request)
    return [period["limit"] for period in answer.charging_schedule["charging_schedule_period"]]


async def test_a_profile_limits_the_power_until_it_is_cleared() -> None:
    async with FakeCSMS() as csms, charging(csms) as charger:
        assert await set_profile(csms, profile(6900)) == "Rejected"
        await csms.remote_start()
        await csms.until(lambda: csms.all("MeterValues"))
        assert await set_profile(csms, profile(6900, transaction_id=100)) == "Accepted"
        assert charger.connectors[1].power_w == 6900
        assert (await limits(csms, "W"), await limits(csms, "A")) == ([6900], [10.0])
        clear = await csms.peer.call(call.ClearChargingProfile(id=5))
        again = await csms.peer.call(call.ClearChargingProfile(id=5))
        assert (clear.status, again.status) == ("Accepted", "Unknown")
        assert charger.connectors[1].power_w == 22_000


async def test_a_limit_of_zero_suspends_and_a_later_period_goes_on() -> None:
    async with FakeCSMS() as csms, charging(csms):
        await csms.remote_start()
        await csms.until(lambda: csms.all("MeterValues"))
        wanted = profile(0, charging_profile_kind="Absolute")
        wanted["charging_schedule"] |= {"start_schedule": in_seconds(0), "duration": 1}
        await set_profile(csms, wanted)
        await csms.until(lambda: csms.statuses()[-2:] == ["SuspendedEVSE", "Charging"])


async def test_a_profile_ends_with_its_transaction() -> None:
    async with FakeCSMS() as csms, charging(csms) as charger:
        await csms.remote_start()
        await csms.until(lambda: csms.all("MeterValues"))
        await set_profile(csms, profile(16, "A"))
        assert charger.connectors[1].power_w == 16 * 690
        await csms.remote_stop(100)
        await csms.until(lambda: csms.all("StopTransaction"))
        assert charger.smart_charging.profiles == []
