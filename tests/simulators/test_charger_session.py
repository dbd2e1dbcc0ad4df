"""A whole charging session of the simulated charge point against a central system."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ocpp.v16 import call

from chargers.simulator.charger import Charger
from chargers.simulator.link import Link
from chargers.simulator.log import EventLog
from chargers.simulator.settings import Settings
from tests.simulators.fake_csms import FakeCSMS


@asynccontextmanager
async def charging(csms: FakeCSMS, **options: Any) -> AsyncIterator[Charger]:
    """A charge point that has booted and told its state."""
    defaults = {"meter_interval": 0.05, "auto_plug": 0.0, "auto_unplug": 0.0, "speed_up": 1000.0}
    settings = Settings(identity="CP-1", url=csms.url, quiet=True, **(defaults | options))
    charger = Charger(settings, EventLog("CP-1", quiet=True))
    charger.link = Link(charger)
    charger.restore()
    work = asyncio.create_task(charger.link.run())
    try:
        await csms.until(lambda: csms.statuses(settings.evses))
        yield charger
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


def energy(payload: dict[str, Any]) -> int:
    return int(payload["meter_value"][0]["sampled_value"][0]["value"])


async def test_boots_with_its_password_and_reports_every_connector() -> None:
    async with FakeCSMS() as csms, charging(csms, evses=2, password="secret"):
        assert csms.received[0][0] == "BootNotification"
        assert csms.statuses(0) == csms.statuses(1) == csms.statuses(2) == ["Available"]
        expected = base64.b64encode(b"CP-1:secret").decode()
        assert csms.authorization_headers == [f"Basic {expected}"]


async def test_asks_again_until_the_boot_is_accepted() -> None:
    async with FakeCSMS() as csms:
        csms.boot_answers = ["Pending"]
        async with charging(csms):
            names = [name for name, _ in csms.received[:3]]
            assert names == ["BootNotification", "BootNotification", "StatusNotification"]


async def test_remote_start_meters_and_remote_stop_make_a_whole_transaction() -> None:
    async with FakeCSMS() as csms, charging(csms) as charger:
        assert await csms.remote_start() == "Accepted"
        await csms.until(lambda: len(csms.all("MeterValues")) >= 2)
        assert await csms.remote_start(id_tag="SECOND") == "Rejected"
        assert await csms.remote_stop(99) == "Rejected"
        assert await csms.remote_stop(100) == "Accepted"
        await csms.until(lambda: csms.statuses()[-1] == "Available" and csms.all("StopTransaction"))
        start, stop = csms.all("StartTransaction")[0], csms.all("StopTransaction")[0]
        values = [energy(payload) for payload in csms.all("MeterValues")]
        assert start["meter_start"] <= values[0] <= values[1] <= stop["meter_stop"]
        assert (start["id_tag"], stop["transaction_id"], stop["reason"]) == ("TAG", 100, "Remote")
        assert all(payload["transaction_id"] == 100 for payload in csms.all("MeterValues"))
        seen = csms.statuses()
        assert seen == ["Available", "Preparing", "Charging", "Finishing", "Available"]
        names = [event["event"] for event in charger.log.events()]
        assert names.index("remote_start_received") < names.index("start_transaction_sent")
        assert names.index("remote_stop_received") < names.index("stop_transaction_sent")


async def test_a_full_car_suspends_at_exactly_its_battery() -> None:
    async with FakeCSMS() as csms, charging(csms, battery_kwh=0.5) as charger:
        await csms.remote_start()
        await csms.until(lambda: "SuspendedEV" in csms.statuses())
        charger.unplug(charger.connectors[1])
        await csms.until(lambda: csms.all("StopTransaction"))
        start, stop = csms.all("StartTransaction")[0], csms.all("StopTransaction")[0]
        assert stop["meter_stop"] - start["meter_start"] == 500
        assert stop["reason"] == "EVDisconnected"


async def test_a_fault_ends_the_transaction_and_refuses_new_ones_until_repaired() -> None:
    async with FakeCSMS() as csms, charging(csms) as charger:
        await csms.remote_start()
        await csms.until(lambda: "Charging" in csms.statuses())
        charger.fail(charger.connectors[1], "GroundFailure", "PowerLoss")
        await csms.until(lambda: "Faulted" in csms.statuses() and csms.all("StopTransaction"))
        assert csms.all("StopTransaction")[0]["reason"] == "PowerLoss"
        assert await csms.remote_start() == "Rejected"
        charger.fail(charger.connectors[1], None, "")
        await csms.until(lambda: csms.statuses()[-1] == "Available")
        assert await csms.remote_start() == "Accepted"


async def test_a_start_nobody_plugs_in_for_is_given_up() -> None:
    async with FakeCSMS() as csms, charging(csms, auto_plug=None) as charger:
        charger.configuration.numbers["ConnectionTimeOut"] = "0.05"
        await csms.remote_start()
        await csms.until(lambda: csms.statuses() == ["Available", "Preparing", "Available"])
        assert not csms.all("StartTransaction")


async def test_a_reset_ends_the_transaction_and_boots_again() -> None:
    async with FakeCSMS() as csms, charging(csms):
        await csms.remote_start()
        await csms.until(lambda: "Charging" in csms.statuses())
        assert (await csms.peer.call(call.Reset(type="Soft"))).status == "Accepted"
        await csms.until(lambda: csms.all("StopTransaction"))
        assert len(csms.all("BootNotification")) == 2
        assert csms.all("StopTransaction")[0]["reason"] == "SoftReset"


async def test_answers_configuration_availability_and_triggers() -> None:
    async with FakeCSMS() as csms, charging(csms):
        ask = csms.peer.call
        listing = await ask(call.GetConfiguration(key=["NumberOfConnectors", "Nonsense"]))
        assert listing.configuration_key[0]["value"] == "1"
        assert listing.unknown_key == ["Nonsense"]
        changed = await ask(call.ChangeConfiguration(key="MeterValueSampleInterval", value="7"))
        refused = await ask(call.ChangeConfiguration(key="NumberOfConnectors", value="7"))
        assert (changed.status, refused.status) == ("Accepted", "Rejected")
        await ask(call.ChangeAvailability(connector_id=1, type="Inoperative"))
        await csms.until(lambda: csms.statuses()[-1] == "Unavailable")
        assert await csms.remote_start() == "Rejected"
        await ask(call.TriggerMessage(requested_message="Heartbeat"))
        await csms.until(lambda: csms.all("Heartbeat"))
