"""Runs one simulated charge point until it is told to end."""

import asyncio
import signal

from chargers.simulator.charger import Charger
from chargers.simulator.control import Control, serve
from chargers.simulator.link import Link
from chargers.simulator.log import EventLog
from chargers.simulator.settings import Settings


def run(settings: Settings) -> None:
    """Blocks until SIGINT or SIGTERM."""
    asyncio.run(_run(settings))


async def _run(settings: Settings) -> None:
    charger = Charger(settings, EventLog(settings.identity, quiet=settings.quiet, as_json=settings.json))
    link = Link(charger)
    server = None
    if settings.control:
        server = serve(Control(charger, link), settings.control)
        charger.log.record("control", url="http://{}:{}".format(*server.server_address[:2]))
    charger.restore()
    work = asyncio.create_task(link.run())
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        charger.log.record("switched_off")
    finally:
        charger.save()
        if server:
            server.shutdown()
