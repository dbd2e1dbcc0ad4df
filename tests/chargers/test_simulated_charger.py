"""Our simulated charge point on our own server, over a real socket: what the two make of each other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
import uvicorn
from asgiref.sync import sync_to_async
from django.utils import timezone

from chargers.models import ChargingSession, OutgoingCall, Reservation
from chargers.ocpp import database
from chargers.services import commands, lifecycle, profiles, reserving
from chargers.simulator.charger import Charger
from chargers.simulator.link import Link
from chargers.simulator.log import EventLog
from chargers.simulator.settings import Settings
from infrastructure.models import EVSE
from tests.chargers.charger_socket import PASSWORD, application
from tests.chargers.factories import make_connector, make_start
from tests.chargers.test_reservations import TOKEN, make_request
from tests.chargers.test_socket import until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def connector():
    connector = make_connector(online=False)
    lifecycle.set_password(connector.evse.charger, PASSWORD)
    return connector


@asynccontextmanager
async def serving() -> AsyncIterator[str]:
    """Address of our OCPP server."""
    config = uvicorn.Config(application, host="127.0.0.1", port=0, lifespan="off", log_level="error")
    server = uvicorn.Server(config)
    work = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield f"ws://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/ocpp"
    finally:
        server.should_exit = True
        await work


@asynccontextmanager
async def simulated(identity: str) -> AsyncIterator[Charger]:
    async with serving() as url:
        settings = Settings(identity=identity, url=url, password=PASSWORD, quiet=True, meter_interval=0.05)
        charger = Charger(settings, EventLog(identity, quiet=True))
        charger.link = Link(charger)
        work = asyncio.create_task(charger.link.run())
        try:
            await until(lambda: EVSE.objects.exclude(charger__connection__channel_name="").first())
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


async def test_a_reservation_is_kept_used_limited_and_unlocked(connector):
    async with simulated(connector.evse.charger.identity) as charger:
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

        assert (await result_of(lambda: commands.request_unlock(connector.evse, soon()))).result == "ACCEPTED"
        ended = await until(lambda: ChargingSession.objects.filter(status="COMPLETED").first())
        assert ended.stop_reason == "STAFF"


async def test_a_reservation_is_cancelled_and_the_outlet_free(connector):
    async with simulated(connector.evse.charger.identity):
        wanted = await database.run(lambda: make_request(connector))
        await result_of(lambda: reserving.request_reservation(wanted))
        await status_is("RESERVED")
        other = await database.run(lambda: make_start(connector, cdr_token=TOKEN | {"uid": "other"}))
        assert (await result_of(lambda: commands.request_start(other))).result == "EVSE_OCCUPIED"
        reservation = await sync_to_async(Reservation.objects.get)()
        assert (await result_of(lambda: reserving.request_cancellation(reservation, soon()))).result == "ACCEPTED"
        await status_is("AVAILABLE")
        assert (await sync_to_async(Reservation.objects.get)()).state == "CANCELLED"
