"""Leaving requests for a charger's socket, wherever it is connected."""

from datetime import datetime
from typing import Any

from chargers.choices import CallAction
from chargers.models import ChargerConnection, ChargingSession, OutgoingCall
from infrastructure import correlation
from infrastructure.wakeups import wake_group

Json = dict[str, Any]

# What a charger's socket is told.
CALL_WAITS = {"type": "ocpp.call"}


def group_of(charger_id: int) -> str:
    """The channel layer group that a charger's socket listens to."""
    return f"charger-{charger_id}"


def create_call(
    charger_id: int, session: ChargingSession | None, action: CallAction, payload: Json, expires_at: datetime
) -> OutgoingCall:
    """Leaves a request for the charger's socket. Needs the lock of the session, if it is about one."""
    call = OutgoingCall.objects.create(
        charger_id=charger_id,
        session=session,
        action=action,
        payload=payload,
        expires_at=expires_at,
        correlation_id=correlation.current(),
    )
    wake(charger_id)
    return call


def request_ocpp(charger_id: int, action: str, payload: Json, expires_at: datetime) -> OutgoingCall:
    """Leaves any request of the charger's own OCPP version: `payload` as on the wire, which the caller has validated.

    Never vetoed: the charger itself says no. The call of an offline charger waits until `expires_at`.
    """
    wanted = {"action": action, "payload": payload}
    return create_call(charger_id, None, CallAction.OCPP, wanted, expires_at)


def wake(charger_id: int) -> None:
    wake_group(group_of(charger_id), CALL_WAITS)


def is_online(charger_id: int) -> bool:
    return ChargerConnection.objects.filter(charger_id=charger_id).exclude(channel_name="").exists()
