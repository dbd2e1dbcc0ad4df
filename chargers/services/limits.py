"""Stopping a session before its cost exceeds what was pre-authorised."""

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings

from chargers.choices import StopReason
from chargers.services import commands, metering, outgoing
from chargers.services.events import Reading
from chargers.services.metering import HOUR, Measured

logger = logging.getLogger(__name__)

# From our decision to the opened contactor: network, charger, ramp down.
COMMAND_LATENCY = timedelta(seconds=3)
# Running sessions are looked at more often than this, also between distant meter values.
LONGEST_FORECAST = timedelta(seconds=60)
# A stop that was refused, lost or not obeyed is repeated.
REPEAT_STOP_AFTER = timedelta(seconds=30)


def is_reached(measured: Measured, now: datetime) -> bool:
    """Whether the cost could exceed the limit before we learn more and a stop has taken effect.

    Looks ahead to the next meter value, by the interval of the last two, at the power last seen.
    """
    session = measured.session
    if session.limit is None or session.tariff_version is None:
        return False
    ahead = min(metering.meter_interval(measured), LONGEST_FORECAST)
    end = max(now, measured.last.at + ahead) + COMMAND_LATENCY
    forecast = metering.price(_forecast(measured, end), end, limit=None)
    return forecast.cost is not None and forecast.cost.total.incl_vat > session.limit


def _forecast(measured: Measured, end: datetime) -> Measured:
    """The register runs on at the last power; never further ahead than two intervals or a minute.

    A charger's clock may be behind ours, which must not look like a long silence.
    """
    horizon = max(2 * metering.meter_interval(measured), LONGEST_FORECAST) + COMMAND_LATENCY
    seconds = min(end - measured.last.at, horizon).total_seconds()
    energy = metering.power_w(measured) * Decimal(str(seconds)) / HOUR
    return replace(measured, readings=(*measured.readings, Reading(end, measured.last.register_wh + energy)))


def stop_if_reached(measured: Measured, now: datetime) -> None:
    """Requests the stop, once. Needs the session's lock.

    A charger that is offline is asked when it is back: running sessions are looked at all the time.
    """
    session = measured.session
    asked_at = session.stop_requested_at
    if asked_at is not None and now - asked_at < REPEAT_STOP_AFTER:
        return
    if not is_reached(measured, now) or session.connector is None:
        return
    if outgoing.is_online(session.connector.evse.charger_id):
        logger.info("session %s comes to its limit of %s", session, session.limit)
        commands.request_stop(session, StopReason.LIMIT, now + settings.COMMAND_TIMEOUT)
