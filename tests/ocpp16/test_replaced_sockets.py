"""Two sockets of one charger: the newer wins, and nothing that the older one brought is lost."""

import asyncio
import gc
from datetime import timedelta

import pytest
from channels.layers import get_channel_layer

from chargers.models import ChargerConnection, MeterSample
from chargers.ocpp import consumer
from chargers.ocpp.pace import Pace
from chargers.ocpp.v16 import ChargePoint16
from tests.chargers.charger_socket import ChargerSocket
from tests.chargers.test_socket import request_start, row, start_charging, until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_patience_with_replaced_sockets(monkeypatch):
    monkeypatch.setattr(consumer, "LAST_FRAMES", 0)


async def test_the_newer_socket_wins(connector, identity):
    older = await ChargerSocket(identity).open()
    newer = await ChargerSocket(identity).open()
    assert (await older.output())["type"] == "websocket.close"
    await older.close()
    assert (await row(ChargerConnection)).is_online
    await request_start(connector)
    assert (await newer.frame())[2] == "RemoteStartTransaction"
    await newer.close()


async def test_an_older_socket_that_is_gone_before_it_is_closed_is_no_error(identity, monkeypatch):
    async def gone(self, code=None):
        raise RuntimeError("the socket is gone")

    told = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    older = await ChargerSocket(identity).open()
    with monkeypatch.context() as patch:
        patch.setattr(consumer.OcppConsumer, "close", gone)
        newer = await ChargerSocket(identity).open()
        await older.ask("Heartbeat")
        await newer.ask("Heartbeat")
    await older.close()
    await newer.close()
    gc.collect()  # only then a task tells of an exception that nobody has taken
    assert not told


async def test_frames_that_the_older_socket_brought_are_not_lost(connector, identity, monkeypatch):
    older = await ChargerSocket(identity).open()
    session, _ = await start_charging(older, connector)
    began = session.started_at
    for second in range(1, 6):
        value = {
            "timestamp": (began + timedelta(seconds=second)).isoformat(),
            "sampledValue": [{"value": str(100 + second)}],
        }
        await older.post("MeterValues", connectorId=1, transactionId=session.pk, meterValue=[value])
    newer = await ChargerSocket(identity).open()
    await until(lambda: MeterSample.objects.count() == 5)
    await newer.close()


async def test_what_has_arrived_at_the_older_socket_is_answered_before_it_is_closed(identity, monkeypatch):
    older = await ChargerSocket(identity).open()
    handle = ChargePoint16.handle

    async def handle_late(self, frame):
        for _ in range(10):  # enough to close, if nothing else were waited for
            await asyncio.sleep(0)
        await handle(self, frame)

    monkeypatch.setattr(ChargePoint16, "handle", handle_late)
    channel = (await row(ChargerConnection)).channel_name
    sent = [await older.post("Heartbeat") for _ in range(3)]
    await get_channel_layer().send(channel, {"type": "ocpp.replaced"})
    assert [(await older.frame())[1] for _ in sent] == sent
    assert (await older.output())["type"] == "websocket.close"
    await older.close()


async def test_who_sends_on_at_the_older_socket_is_closed_all_the_same(identity, monkeypatch):
    monkeypatch.setattr(consumer, "MOST_LAST_FRAMES", 0)
    monkeypatch.setattr(Pace, "is_quiet", False)
    older = await ChargerSocket(identity).open()
    newer = await ChargerSocket(identity).open()
    assert (await older.output())["type"] == "websocket.close"
    await older.close()
    await newer.close()
