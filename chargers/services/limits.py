"""Stopping a session before its cost exceeds what was pre-authorised."""

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings

from chargers.choices import StopReason
from chargers.models import ChargingSession
from chargers.services import commands, metering, outgoing, refresh
from chargers.services.events import Reading
from chargers.services.metering import HOUR, Measured
from infrastructure.choices import PowerType
from infrastructure.models import Connector

logger = logging.getLogger(__name__)

# From our decision to the opened contactor: network, charger, ramp down.
COMMAND_LATENCY = timedelta(seconds=3)
# Between distant meter values running sessions are looked at so often (settings, `price_active_sessions`).
LOOK_EVERY = timedelta(seconds=10)
# A charger whose last value is older is asked for a new one, so long before its session would be stopped.
STALE_AFTER = timedelta(seconds=30)
ASK_AHEAD = 2 * LOOK_EVERY
LONGEST_FORECAST = timedelta(seconds=60)
PHASES: dict[str, int] = {PowerType.AC_3_PHASE: 3, PowerType.AC_2_PHASE: 2, PowerType.AC_2_PHASE_SPLIT: 2}
# What chargers are set to that seldom speak.
LONGEST_INTERVAL = timedelta(minutes=15)
# A stop that was refused, lost or not obeyed is repeated.
REPEAT_STOP_AFTER = timedelta(seconds=30)


def is_reached(measured: Measured, now: datetime, *, within: timedelta = timedelta(0)) -> bool:
    """Whether the driver's price could exceed the limit before we look again and a stop has taken effect.

    Looks ahead to the next meter value, by the interval of the last two, and to the next look in between; both at
    the power last seen. `within` looks further ahead.
    """
    session = measured.session
    if session.limit is None or session.tariff_version is None:
        return False
    ahead = min(metering.meter_interval(measured), LONGEST_FORECAST)
    end = max(now + _until_next_look(measured, now), measured.last.at + ahead) + COMMAND_LATENCY + within
    forecast = metering.price(_forecast(measured, end), end, limit=None)
    return forecast.driver_total > session.limit


def _until_next_look(measured: Measured, now: datetime) -> timedelta:
    """Shorter for a charger that speaks more often than we look by ourselves, as long as it does speak."""
    silent = max(metering.meter_interval(measured), now - measured.last.at)
    return min(silent, LOOK_EVERY) if len(measured.readings) > 1 else LOOK_EVERY


def _forecast(measured: Measured, end: datetime) -> Measured:
    """The register runs on at the last power; never further ahead than two intervals or a minute.

    A charger whose register stands still may say nothing at all, which must not look like charging. How often it
    speaks is known once it has spoken twice; until then its longest usual interval counts.
    """
    ahead = 2 * metering.meter_interval(measured) if len(measured.readings) > 2 else LONGEST_INTERVAL
    horizon = max(ahead, LONGEST_FORECAST) + LOOK_EVERY + COMMAND_LATENCY
    seconds = max(min(end - measured.last.at, horizon).total_seconds(), 0)
    energy = expected_power_w(measured) * Decimal(str(seconds)) / HOUR
    return replace(measured, readings=(*measured.readings, Reading(end, measured.last.register_wh + energy)))


def expected_power_w(measured: Measured) -> Decimal:
    """What was seen; before anything was, what the connector can deliver: a fast charger is through most of a limit
    before its first meter value comes."""
    seen = metering.power_w(measured)
    began, connector = measured.readings[0], measured.session.connector
    if seen or metering.is_parked(measured) or connector is None or measured.last.register_wh > began.register_wh:
        return seen
    if len(measured.readings) > 2:  # it has said twice that nothing flows
        return seen
    return connector_power_w(connector)


def connector_power_w(connector: Connector) -> Decimal:
    """The rating, as partners see it (2.2.1 mod_locations, Connector)."""
    product = connector.max_voltage * connector.max_amperage * PHASES.get(connector.power_type, 1)
    return Decimal(min(connector.max_electric_power or product, product))


def stop_if_reached(measured: Measured, now: datetime) -> None:
    """Requests the stop, once. Needs the session's lock.

    A charger that is offline is asked when it is back: running sessions are looked at all the time.
    """
    if _is_nobodys(measured.session):
        return ask_to_stop(measured.session, StopReason.STAFF, now)
    if not _may_ask(measured.session, now):
        return
    if is_reached(measured, now):
        logger.info("session %s comes to its limit of %s", measured.session, measured.session.limit)
        ask_to_stop(measured.session, StopReason.LIMIT, now)
    elif now - measured.last.at > STALE_AFTER and is_reached(measured, now, within=ASK_AHEAD):
        _ask_for_values(measured.session)


def _ask_for_values(session: ChargingSession) -> None:
    """What is forecast from an old value may be far from the truth: the driver shall not be stopped too early."""
    evse = session.connector.evse if session.connector else None
    if evse is not None and outgoing.is_online(evse.charger_id):
        refresh.request_values(evse.charger_id, evse.number)


def _is_nobodys(session: ChargingSession) -> bool:
    """Nobody let it in, and nobody pays: it is asked to stop until it does."""
    return session.accepted_at is None and not session.peer_id and session.tariff_version_id is None


def ask_to_stop(session: ChargingSession, by: StopReason, now: datetime) -> None:
    """Requests a stop, unless one was requested a moment ago or the charger is offline. Needs the session's lock."""
    connector = session.connector
    if connector is not None and _may_ask(session, now) and outgoing.is_online(connector.evse.charger_id):
        commands.request_stop(session, by, now + settings.COMMAND_TIMEOUT)


def _may_ask(session: ChargingSession, now: datetime) -> bool:
    asked_at = session.stop_requested_at
    return session.connector is not None and (asked_at is None or now - asked_at >= REPEAT_STOP_AFTER)
