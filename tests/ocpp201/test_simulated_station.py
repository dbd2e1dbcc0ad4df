"""Our simulated charging station on our own server, over a real socket: what the two make of each other."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from chargers.models import CDR, ChargingSession, OutgoingCall, Reservation
from chargers.ocpp import database
from chargers.services import commands, outgoing, profiles, reserving
from chargers.simulator.charger import Charger
from chargers.simulator.control import Control
from chargers.simulator.link import Link
from chargers.simulator.log import EventLog
from chargers.simulator.scenario import play, read_scenario
from chargers.simulator.settings import Settings
from infrastructure.models import EVSE
from tests.chargers.charger_socket import PASSWORD
from tests.chargers.factories import make_start
from tests.chargers.test_reservations import TOKEN, make_request
from tests.chargers.test_simulated_charger import serving
from tests.chargers.test_socket import until

pytestmark = pytest.mark.django_db(transaction=True)


@asynccontextmanager
async def simulated(identity, **options):
    async with serving() as url:
        options = {"meter_interval": 0.05, "auto_unplug": None, **options}
        settings = Settings(identity=identity, url=url, password=PASSWORD, ocpp="2.0.1", quiet=True, **options)
        charger = Charger(settings, EventLog(identity, quiet=True))
        charger.link = Link(charger)
        work = asyncio.create_task(charger.link.run())
        try:
            await until(lambda: EVSE.objects.filter(connector_statuses__status="Available").first())
            yield charger
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


def soon():
    return timezone.now() + timedelta(seconds=10)


async def result_of(request):
    """Carries a request out; gives the finished call."""
    call = await database.run(request)
    return await until(lambda: OutgoingCall.objects.filter(pk=call.pk, state="DONE").first())


async def status_is(status):
    await until(lambda: EVSE.objects.filter(status=status).first())


async def begin(connector):
    start = await database.run(lambda: make_start(connector))
    assert (await result_of(lambda: commands.request_start(start))).result == "ACCEPTED"
    return await until(lambda: ChargingSession.objects.filter(status="ACTIVE").first())


async def test_a_paid_session_shows_its_cost_and_ends_when_asked(connector, identity):
    async with simulated(identity, speed_up=3600, auto_unplug=0.1) as charger:
        session = await begin(connector)
        await status_is("CHARGING")
        shown = await until(lambda: charger.displayed_cost.get(session.transaction_id))
        assert shown > 0
        stopped = await result_of(lambda: commands.request_stop(session, "PARTNER", soon()))
        assert stopped.result == "ACCEPTED"
        cdr = await until(lambda: CDR.objects.select_related("session").first())
        assert cdr.session.stop_reason == "PARTNER"
        final = await until(lambda: charger.displayed_cost.get(session.transaction_id))
        await until(lambda: charger.displayed_cost[session.transaction_id] >= float(cdr.total_cost_incl_vat) - 0.01)
        assert final
        await status_is("AVAILABLE")


async def test_a_reservation_is_kept_used_and_limited(connector, identity):
    async with simulated(identity) as charger:
        wanted = await database.run(lambda: make_request(connector))
        assert (await result_of(lambda: reserving.request_reservation(wanted))).result == "ACCEPTED"
        await status_is("RESERVED")
        start = await database.run(lambda: make_start(connector, cdr_token=TOKEN))
        assert (await result_of(lambda: commands.request_start(start))).result == "ACCEPTED"
        session = await until(lambda: ChargingSession.objects.filter(status="ACTIVE").first())
        assert (await sync_to_async(Reservation.objects.get)()).state == "USED"

        profile = {"charging_rate_unit": "A", "charging_profile_period": [{"start_period": 0, "limit": 10.0}]}
        assert (await result_of(lambda: profiles.request_profile(session, profile, soon()))).result == "ACCEPTED"
        await until(lambda: charger.connectors[1].power_w == 6900)
        told = await result_of(lambda: profiles.request_schedule(session, 900, soon()))
        assert told.answer["profile"]["charging_profile_period"] == [{"start_period": 0, "limit": 6900.0}]
        assert (await result_of(lambda: profiles.request_clearing(session, soon()))).result == "ACCEPTED"
        assert (await result_of(lambda: profiles.request_clearing(session, soon()))).result == "UNKNOWN"
        assert (await result_of(lambda: commands.request_unlock(connector.evse, soon()))).result == "REJECTED"


async def test_a_reservation_is_cancelled_and_the_outlet_free(connector, identity):
    async with simulated(identity):
        wanted = await database.run(lambda: make_request(connector))
        await result_of(lambda: reserving.request_reservation(wanted))
        await status_is("RESERVED")
        reservation = await sync_to_async(Reservation.objects.get)()
        assert (await result_of(lambda: reserving.request_cancellation(reservation, soon()))).result == "ACCEPTED"
        await status_is("AVAILABLE")


async def test_a_session_survives_an_offline_period_in_which_it_ends(connector, identity):
    async with simulated(identity, speed_up=60) as charger:
        session = await begin(connector)
        await until(lambda: ChargingSession.objects.get().kwh > 0)
        charger.link.drop(0.3)
        await until(lambda: not charger.online)
        charger.suspend(charger.connectors[1], True)
        charger.suspend(charger.connectors[1], False)
        charger.stop(charger.connectors[1], "Local")
        measured = charger.connectors[1].meter_wh
        await until(lambda: ChargingSession.objects.filter(status="COMPLETED").first())
        ended = await sync_to_async(ChargingSession.objects.get)(pk=session.pk)
        assert (ended.meter_stop, ended.stop_reason) == (measured, "DRIVER")
        assert await sync_to_async(ended.parking_spans.count)() == 1
        await status_is("BLOCKED")


async def test_variables_are_read_and_set(connector, identity):
    async with simulated(identity) as charger:
        variable = {"component": {"name": "SampledDataCtrlr"}, "variable": {"name": "TxUpdatedInterval"}}
        wanted = {"setVariableData": [variable | {"attributeValue": "7"}]}
        charger_id = connector.evse.charger_id
        done = await result_of(lambda: outgoing.request_ocpp(charger_id, "SetVariables", wanted, soon()))
        assert done.answer["setVariableResult"] == [variable | {"attributeStatus": "Accepted"}]
        assert charger.meter_interval == 7
        read = {"getVariableData": [variable]}
        done = await result_of(lambda: outgoing.request_ocpp(charger_id, "GetVariables", read, soon()))
        assert done.answer["getVariableResult"][0]["attributeValue"] == "7"
        report = {"requestId": 1, "reportBase": "FullInventory"}
        done = await result_of(lambda: outgoing.request_ocpp(charger_id, "GetBaseReport", report, soon()))
        assert done.result == "ACCEPTED"
        await until(lambda: any(event["event"] == "notify_report_answered" for event in charger.log.events()))


async def test_a_scenario_is_played_from_its_file(connector, identity, tmp_path):
    script = tmp_path / "scenario.json"
    script.write_text(
        '[{"do": "plug"}, {"until": "Preparing"}, {"wait": 0.01, "do": "stop"}, {"do": "fault"}, {"until": "Faulted"}]'
    )
    async with simulated(identity) as charger:
        control = Control(charger, charger.link)
        await play(control, read_scenario(script, set(control.actions)))
        await status_is("OUTOFORDER")
        told = [event["event"] for event in charger.log.events()]
        assert "scenario_step_failed" in told and told.count("scenario_step") == 3


@pytest.mark.parametrize(
    "text", ['{"do": "plug"}', '["plug"]', '[{"do": "explode"}]', '[{"wait": "long", "do": "plug"}]']
)
def test_a_scenario_that_nobody_can_play_is_refused_before_it_begins(tmp_path, text):
    script = tmp_path / "scenario.json"
    script.write_text(text)
    with pytest.raises(ValueError, match=r"step|array"):
        read_scenario(script, {"/plug"})
