"""Runs one simulated charge point until it is told to end."""

import asyncio
import signal

from chargers.simulator.charger import Charger
from chargers.simulator.control import Control, serve
from chargers.simulator.link import Link
from chargers.simulator.log import EventLog
from chargers.simulator.scenario import play, read_scenario
from chargers.simulator.settings import Settings


def run(settings: Settings) -> None:
    """Blocks until SIGINT or SIGTERM."""
    asyncio.run(_run(settings))


async def _run(settings: Settings) -> None:
    charger = Charger(settings, EventLog(settings.identity, quiet=settings.quiet, as_json=settings.json))
    link = Link(charger)
    server, control = None, Control(charger, link)
    steps = read_scenario(settings.scenario, set(control.actions)) if settings.scenario else []
    if settings.control:
        server = serve(control, settings.control)
        charger.log.record("control", url="http://{}:{}".format(*server.server_address[:2]))
    charger.restore()
    work = asyncio.create_task(link.run())
    script = asyncio.create_task(play(control, steps)) if steps else None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        charger.log.record("switched_off")
    finally:
        if script:
            script.cancel()
        charger.save()
        if server:
            server.shutdown()
