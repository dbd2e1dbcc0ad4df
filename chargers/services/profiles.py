"""Charging profiles: limits of power or current over time for one running session (OCPP 1.6, 3.13)."""

from datetime import datetime

from django.db import transaction

from chargers.choices import CallAction, SessionStatus
from chargers.models import ChargingSession, OutgoingCall
from chargers.services.commands import close_if_offline
from chargers.services.lock_order import lock_session
from chargers.services.outgoing import Json, create_call


class NotCharging(Exception):
    """A profile is for a running session at a charger that is still configured."""


def request_profile(session: ChargingSession, profile: Json, expires_at: datetime) -> OutgoingCall:
    """Sets the session's profile, an OCPI ChargingProfile, in place of an earlier one. Raises NotCharging."""
    return _request(session, CallAction.SET_CHARGING_PROFILE, {"profile": profile}, expires_at)


def request_clearing(session: ChargingSession, expires_at: datetime) -> OutgoingCall:
    """Takes the session's profile away. Raises NotCharging."""
    return _request(session, CallAction.CLEAR_CHARGING_PROFILE, {}, expires_at)


def request_schedule(session: ChargingSession, seconds: int, expires_at: datetime) -> OutgoingCall:
    """Asks for the limits in force for the next `seconds`, whoever set them. Raises NotCharging."""
    return _request(session, CallAction.GET_COMPOSITE_SCHEDULE, {"duration": seconds}, expires_at)


def _request(session: ChargingSession, action: CallAction, payload: Json, expires_at: datetime) -> OutgoingCall:
    with transaction.atomic():
        current = lock_session(session.pk)
        if current is None or current.status != SessionStatus.ACTIVE or current.connector is None:
            raise NotCharging(f"session {session} does not charge")
        evse = current.connector.evse
        # One profile per session: its id is the session's.
        which = {"evse": evse.number, "transaction_id": current.transaction_id, "profile_id": current.pk}
        call = create_call(evse.charger_id, current, action, which | payload, expires_at)
        close_if_offline(call, current)
    return call
